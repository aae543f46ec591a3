/** The part of the page where people add labelled examples, and see what they have. */

import { byId, element } from "../dom.js";
import { Inputs } from "../inputs.js";
import { labelledFrom } from "./labelled_files.js";

const NAMED = 60; // letters of a class in a line

/** Shows what can be added; tells what stands in the input, and what is kept. */
export class ExamplesPanel {
  /**
   * @param {object} task what the model takes; see `asked`.
   * @param {object} collection of the examples.
   * @param {object} told
   * @param {(examples: object[]) => void} told.onexamples gets what stands in the input.
   * @param {() => void} told.onkept told that the collection has changed.
   * @param {(error: Error) => void} told.onerror told what is wrong with what a user gave.
   */
  constructor(task, collection, { onexamples, onkept, onerror }) {
    Object.assign(this, { collection, onkept, onerror, current: [], info: task.info });
    const take = (examples) => {
      this.current = examples;
      byId("add").disabled = !examples.length;
      byId("add").textContent = examples.length > 1 ? `Add all ${examples.length}` : "Add";
      onexamples(examples);
    };
    this.inputs = new Inputs(task, take, onerror, { golden: false });
    const names = task.info.classes.map((name) =>
      element("option", { value: name }, name.slice(0, NAMED))
    );
    byId("class").replaceChildren(...names);
    byId("add").onclick = this.#guarded(() => this.#add());
    byId("labelled").onchange = this.#guarded(() => this.#addFile());
    byId("undo").onclick = this.#guarded(() => this.#changed(collection.undo()));
    byId("clear").onclick = this.#guarded(() => this.#clear());
    this.show();
  }

  async #add() {
    const label = byId("class").value;
    const examples = this.current.map(({ values }) => ({ values, label }));
    await this.#changed(this.collection.add(examples));
    this.inputs.clear();
  }

  async #addFile() {
    const picker = byId("labelled");
    if (!picker.files.length) return;
    try {
      await this.#changed(this.collection.add(await labelledFrom(picker.files[0], this.info)));
    } finally {
      picker.value = "";
    }
  }

  /** Asks first: there is no way back. */
  async #clear() {
    const ask = byId("clear");
    if (ask.dataset.asked) {
      await this.#changed(this.collection.clear());
      return;
    }
    ask.dataset.asked = "yes";
    ask.textContent = "Really remove all?";
    ask.onblur = () => this.#calm();
  }

  #calm() {
    const ask = byId("clear");
    delete ask.dataset.asked;
    ask.textContent = "Remove all";
  }

  async #changed(work) {
    await work;
    this.#calm();
    this.show();
    this.onkept();
  }

  /** How many examples there are of each class. */
  show() {
    const { counts } = this.collection;
    const total = counts.reduce((sum, count) => sum + count, 0);
    const most = Math.max(...counts, 1);
    const rows = this.info.classes.map((name, at) => {
      const bar = element("span", { class: "bar" });
      bar.style.setProperty("--share", counts[at] / most);
      const parts = [
        element("span", { class: "label", title: name }, name),
        bar,
        element("span", { class: "percent" }, String(counts[at])),
      ];
      return element("li", {}, ...parts);
    });
    byId("counts").replaceChildren(...rows);
    byId("total").textContent = totalWords(total, counts.filter(Boolean).length);
    byId("undo").disabled = byId("clear").disabled = !this.collection.kept.length;
  }

  #guarded(work) {
    return async () => {
      try {
        await work();
      } catch (error) {
        this.onerror(error);
      }
    };
  }
}

function totalWords(examples, classes) {
  if (!examples) return "None yet.";
  const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;
  return `${counted(examples, "example", "examples")} of ${counted(classes, "class", "classes")}`;
}
