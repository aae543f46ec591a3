/** What is shown of each model: labels with bars, its self-test, its latency, where it is from. */

import { element } from "./dom.js";
import { best } from "./predictor.js";

const ALL = 12; // so many classes keep their places; of more, the most probable are shown
const SOME = 8;

/** A model's part of the page. */
export class Card {
  constructor(entry, info) {
    this.classes = info.classes;
    this.name = entry.name;
    this.top = element("p", { class: "top" }, "–");
    this.bars = element("ul", { class: "bars" });
    this.facts = element("dl");
    const title = element("h3", {}, entry.name);
    this.node = element("article", { class: "card" }, title, this.top, this.bars, this.facts);
    this.rows = Array.from({ length: Math.min(this.classes.length, rowsFor(this.classes)) }, row);
    this.bars.append(...this.rows.map(({ node }) => node));
    this.clear();
    this.fact("Origin", originOf(info));
  }

  clear() {
    this.top.textContent = "–";
    this.rows.forEach((one, at) => fill(one, this.classes[at], 0, false));
    this.bars.classList.add("empty");
  }

  /** Shows an answer, and returns it in words. */
  show(probabilities) {
    const places = probabilities.map((_, at) => at);
    const isLong = this.classes.length > ALL;
    if (isLong) places.sort((one, other) => probabilities[other] - probabilities[one]);
    const winner = best(probabilities);
    this.bars.classList.remove("empty");
    this.rows.forEach((one, at) => {
      const place = places[at];
      fill(one, this.classes[place], probabilities[place], place === winner);
    });
    this.top.textContent = this.classes[winner];
    return `${this.classes[winner]} (${percent(probabilities[winner])})`;
  }

  /** Adds a fact, or renews it. */
  fact(term, text, kind = "") {
    const known = Array.from(this.facts.children).find((each) => each.dataset.term === term);
    const value = known ?? element("div", {}, element("dt", {}, term), element("dd"));
    value.dataset.term = term;
    value.className = kind;
    value.lastChild.textContent = text;
    if (!known) this.facts.append(value);
  }
}

function rowsFor(classes) {
  return classes.length > ALL ? SOME : ALL;
}

function row() {
  const parts = ["label", "bar", "percent"].map((name) => element("span", { class: name }));
  return { node: element("li", {}, ...parts), parts };
}

function fill({ node, parts }, label, probability, isBest) {
  const [name, bar, number] = parts;
  name.textContent = name.title = label;
  bar.style.setProperty("--share", probability);
  number.textContent = percent(probability);
  node.classList.toggle("best", isBest);
}

/** A probability for people. */
export function percent(probability) {
  return `${(100 * probability).toFixed(1)} %`;
}

/** What a self-test found, in words. */
export function testWords({ passed, examples, difference, agreement }) {
  const off = difference === 0 ? "0" : difference.toExponential(1);
  const labels = agreement === 1 ? "all labels equal" : `${percent(agreement)} of labels equal`;
  const what = `${examples} golden examples, largest difference ${off}, ${labels}`;
  return `${passed ? "passed" : "failed"}: ${what}`;
}

/** A latency in words. */
export function latencyWords({ median, p95, runs }) {
  const said = (time) => (time < 0.1 ? "under 0.1" : time.toFixed(time < 10 ? 2 : 0));
  return `median ${said(median)} ms, 95th percentile ${said(p95)} ms, ${runs} runs`;
}

function originOf(info) {
  const { run, round, edge, weights_sha256: weights } = info.origin;
  const words = [
    edge ? `edge ${edge}` : null,
    Number.isInteger(round) ? `round ${round}` : null,
    run && run !== "None" ? `run ${String(run).slice(0, 12)}` : null,
    weights ? `weights ${String(weights).slice(0, 12)}` : null,
  ];
  return words.filter(Boolean).join(", ") || "not said";
}
