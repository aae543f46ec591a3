/** The part of the page where examples come from: drawing, pictures, the camera, or numbers. */

import { Camera, hasCamera } from "./camera.js";
import { button, byId, element } from "./dom.js";
import { Drawing } from "./drawing.js";
import { inkOf } from "./ink.js";
import { examplesFrom } from "./numbers.js";
import { exampleOf } from "./npy.js";
import { fitted, paint, pictureShape, readPicture, shownPixels, stretched } from "./pictures.js";

const MOST_NAMES = 20;

/** Shows what fits a bundle, and hands examples on. */
export class Inputs {
  /**
   * @param {object} bundle whose inputs are shown.
   * @param {(examples: {name: string, values: ArrayLike<number>}[]) => void} onexamples gets them;
   *     an empty list: there is none any more.
   * @param {(error: Error) => void} onerror is told what is wrong with what a user gave.
   * @param {{golden: boolean}} shown whether the golden examples can be gone through.
   */
  constructor(bundle, onexamples, onerror, shown = { golden: true }) {
    Object.assign(this, { bundle, info: bundle.info, onexamples, onerror, golden: -1 });
    this.shape = pictureShape(bundle.info);
    const { shape } = this;
    const parts = [];
    if (shape?.channels === 1) parts.push(this.#drawing());
    if (shape) parts.push(this.#pictures());
    else parts.push(this.#numbers());
    if (shown.golden) parts.push(this.#goldenButtons());
    if (shape) parts.push(this.#seen());
    byId("inputs").replaceChildren(...parts);
  }

  close() {
    this.#stopCamera();
  }

  /** Takes back what was put in; a camera goes on. */
  clear() {
    this.drawing?.clear();
    if (this.pick) this.pick.value = "";
    if (this.text) this.text.value = "";
    if (!this.camera) this.onexamples([]);
  }

  #give(name, values) {
    this.#giveAll([{ name, values }]);
  }

  #giveAll(examples) {
    if (this.shape) paint(this.seen, shownPixels(examples[0].values, this.info), this.shape);
    this.onexamples(examples);
  }

  /** Runs what may fail because of what a user gave. */
  #guarded(work) {
    return async (...given) => {
      try {
        await work(...given);
      } catch (error) {
        this.onerror(error);
      }
    };
  }

  #drawing() {
    const ink = inkOf(this.bundle.inputs, this.info, this.shape);
    const canvas = element("canvas", {
      id: "pad",
      tabIndex: 0,
      role: "application",
      "aria-label":
        "Drawing area. Draw with a finger, a pen or the mouse. With the keyboard: arrow keys move " +
        "the pen, space puts it down or lifts it, Escape clears.",
    });
    this.drawing = new Drawing(canvas, ink, this.shape, () => this.#drawn());
    const { drawing } = this;
    const width = element("input", { type: "range", min: 0.02, max: 0.25, step: 0.005 });
    width.value = drawing.penWidth;
    width.oninput = () => {
      drawing.penWidth = Number(width.value);
      drawing.show();
      this.#drawn();
    };
    const placed = element("input", { type: "checkbox", id: "placed", checked: true });
    placed.onchange = () => {
      drawing.placed = placed.checked;
      this.#drawn();
    };
    return element(
      "div",
      { class: "drawing" },
      element("p", { class: "hint" }, "Draw here:"),
      canvas,
      element(
        "div",
        { class: "row" },
        button("Clear", () => drawing.clear()),
        button("Undo", () => drawing.undo()),
        element("label", {}, "Pen ", width)
      ),
      element("label", { class: "row" }, placed, "Scale and centre as the golden examples are")
    );
  }

  #drawn() {
    if (this.drawing.empty) this.onexamples([]);
    else this.#give("The drawing", this.drawing.values(this.info));
  }

  #pictures() {
    const pick = element("input", { type: "file", accept: "image/*", id: "pick", multiple: true });
    this.pick = pick;
    pick.onchange = this.#guarded(async () => {
      if (!pick.files.length) return;
      this.#stopCamera();
      const examples = [];
      for (const file of pick.files) {
        examples.push({ name: file.name, values: this.#valuesOf(await readPicture(file)) });
      }
      this.#giveAll(examples);
    });
    const row = element("div", { class: "row" }, element("label", {}, "Pick pictures ", pick));
    const parts = [row];
    if (this.shape.channels === 3) {
      this.video = element("video", { muted: true, playsInline: true, hidden: true });
      this.video.setAttribute("aria-label", "What the camera shows");
      this.cameraButton = button("Use the camera", this.#guarded(() => this.#toggleCamera()));
      if (hasCamera()) row.append(this.cameraButton);
      parts.push(this.video);
    }
    return element("div", {}, ...parts);
  }

  #valuesOf(picture) {
    return stretched(fitted(picture, this.shape).data, this.info);
  }

  async #toggleCamera() {
    if (this.camera) {
      this.#stopCamera();
      return;
    }
    this.camera = new Camera(this.video, this.shape, (one) =>
      this.#give("The camera", this.#valuesOf(one))
    );
    this.video.hidden = false;
    this.cameraButton.textContent = "Stop the camera";
    try {
      await this.camera.start();
    } catch (error) {
      this.#stopCamera();
      throw error;
    }
  }

  #stopCamera() {
    if (!this.camera) return;
    this.camera.stop();
    this.camera = null;
    this.video.hidden = true;
    this.cameraButton.textContent = "Use the camera";
  }

  #numbers() {
    const { columns, input } = this.info;
    const size = input.shape.slice(1).join(" × ");
    const what = columns ? `the columns ${listed(columns)}` : `${size} numbers`;
    this.text = element("textarea", { id: "numbers", rows: 8, spellcheck: false });
    const file = element("input", { type: "file", accept: ".csv,text/csv,text/plain", id: "csv" });
    const read = this.#guarded(() => this.onexamples(examplesFrom(this.text.value, this.info)));
    this.text.oninput = () => {
      if (this.text.value.trim()) read();
      else this.onexamples([]);
    };
    file.onchange = this.#guarded(async () => {
      if (!file.files.length) return;
      this.text.value = await file.files[0].text();
      await read();
    });
    return element(
      "div",
      {},
      element("label", { htmlFor: "numbers" }, "Paste a row, or a whole CSV file"),
      element("p", { class: "hint" }, `An example has ${what}. A first row with names is a header.`),
      this.text,
      element("div", { class: "row" }, element("label", {}, "Pick a CSV file ", file))
    );
  }

  #goldenButtons() {
    const count = this.bundle.inputs.shape[0];
    const say = element("span", { id: "golden" }, `${count} golden examples`);
    const step = (by) => () => {
      this.golden = (this.golden + by + count) % count;
      this.#stopCamera();
      this.drawing?.clear();
      const values = exampleOf(this.bundle.inputs, this.golden);
      say.textContent = `Example ${this.golden + 1} of ${count}`;
      if (this.text) this.text.value = Array.from(values).join(", ");
      this.#give(`Golden example ${this.golden + 1}`, values);
    };
    return element(
      "div",
      { class: "row" },
      button("Previous", step(-1)),
      button("Next", step(1)),
      say
    );
  }

  #seen() {
    this.seen = element("canvas", { id: "seen", role: "img", "aria-label": "What the model sees" });
    const blank = new Uint8ClampedArray(this.shape.width * this.shape.height * this.shape.channels);
    paint(this.seen, blank, this.shape);
    const { width, height } = this.shape;
    const caption = `What the model sees: ${width} × ${height} pixels`;
    return element("figure", {}, this.seen, element("figcaption", {}, caption));
  }
}

/** Some names of columns, and how many more there are. */
function listed(columns) {
  const names = columns.map((name) => (name.includes(",") ? `"${name}"` : name));
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
