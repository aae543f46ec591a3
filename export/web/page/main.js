/** Starts the page: chooses models, loads them, tests them, and answers what is put in. */

import { Card, latencyWords, percent, testWords } from "./cards.js";
import { readBundle, readCatalog } from "./catalog.js";
import { byId, element } from "./dom.js";
import { said } from "./errors.js";
import { Inputs } from "./inputs.js";
import { exampleOf } from "./npy.js";
import { best, checkValues, Predictor } from "./predictor.js";
import { latency, selfTest } from "./self_test.js";

const FORMATS = ["float32", "float16", "dynamic", "int8", "int16x8"];
const MOST_ROWS = 500;
const QUIET_MS = 600; // a screen reader hears an answer once nothing has changed for so long

const page = { catalog: [], models: [], inputs: null, examples: [], turn: Promise.resolve() };
let waiting = false;
let announcing;

/** Work on models goes one after the other: none is closed while it runs. */
function inTurn(work) {
  page.turn = page.turn.then(work).catch(fail);
  return page.turn;
}

function fail(error) {
  byId("message").textContent = said(error);
  byId("message").hidden = false;
}

function status(text) {
  byId("status").textContent = text;
}

async function start() {
  page.catalog = await readCatalog();
  const groups = [...new Set(page.catalog.map((entry) => entry.group))];
  choices(byId("group"), groups, () => {
    offerFormats();
    inTurn(load);
  });
  byId("format").onchange = () => inTurn(load);
  offerFormats();
  await inTurn(load);
}

function choices(select, values, onchange) {
  const kept = select.value;
  select.replaceChildren(...values.map((value) => element("option", { value }, value)));
  if (values.includes(kept)) select.value = kept;
  select.onchange = onchange ?? select.onchange;
  select.disabled = values.length === 1;
}

function offerFormats() {
  const group = byId("group").value;
  const entries = page.catalog.filter((entry) => entry.group === group);
  const there = new Set(entries.map((entry) => entry.format));
  choices(byId("format"), FORMATS.filter((format) => there.has(format)));
}

/** Loads the models of the chosen group and format, and tests them. */
async function load() {
  const [group, format] = [byId("group").value, byId("format").value];
  const chosen = page.catalog.filter((one) => one.group === group && one.format === format);
  chosen.sort((one, other) => (other.name === "local") - (one.name === "local")); // came first
  byId("message").hidden = byId("quick").hidden = true;
  document.body.dataset.state = "loading";
  status(`Loading ${group}, ${format} …`);
  page.inputs?.close();
  for (const { predictor } of page.models) predictor.close();
  Object.assign(page, { models: [], inputs: null, examples: [] });
  byId("inputs").replaceChildren();
  byId("cards").replaceChildren();
  byId("many").replaceChildren();
  try {
    for (const entry of chosen) {
      const bundle = await readBundle(entry);
      const card = new Card(entry, bundle.info);
      card.fact("File", `${format}, ${bytesWords(bundle.model.length)}`);
      byId("cards").append(card.node);
      page.models.push({ predictor: await Predictor.load(bundle), bundle, card });
    }
    page.inputs = new Inputs(page.models[0].bundle, take, fail);
    for (const { predictor, bundle, card } of page.models) {
      const tested = await selfTest(predictor, bundle);
      card.fact("Self-test", testWords(tested), tested.passed ? "good" : "bad");
      card.fact("Latency", latencyWords(await latency(predictor, exampleOf(bundle.inputs, 0))));
    }
    const failed = page.models.filter(({ card }) => card.facts.querySelector(".bad"));
    const named = failed.map(({ card }) => card.name).join(", ");
    status(failed.length ? `Self-test failed: ${named}` : "Ready: self-test passed");
    document.body.dataset.state = failed.length ? "failed" : "ready";
  } catch (error) {
    status("Not ready");
    document.body.dataset.state = "failed";
    throw error;
  }
}

function bytesWords(count) {
  if (count < 1000) return `${count} bytes`;
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

/** Takes examples; while one is answered, only the newest that comes is kept. */
function take(examples) {
  byId("message").hidden = true;
  page.examples = examples;
  if (waiting) return;
  waiting = true;
  inTurn(() => {
    waiting = false;
    return answer(page.examples);
  });
}

async function answer(examples) {
  byId("many").replaceChildren();
  if (!examples.length) {
    for (const { card } of page.models) card.clear();
    byId("quick").hidden = true;
    return;
  }
  const words = [];
  for (const { predictor, card } of page.models) {
    checkValues(examples[0].values, predictor.info);
    words.push(`${card.name}: ${card.show(await predictor.probabilities(examples[0].values))}`);
  }
  byId("quick").textContent = words.join("; ");
  byId("quick").hidden = false;
  clearTimeout(announcing);
  announcing = setTimeout(() => status(`${examples[0].name}: ${words.join("; ")}`), QUIET_MS);
  if (examples.length > 1) await answerAll(examples);
}

/** A table with a row for each of many examples. */
async function answerAll(examples) {
  const heads = ["Example", ...page.models.map(({ card }) => card.name)];
  const body = element("tbody");
  for (const { name, values } of examples.slice(0, MOST_ROWS)) {
    const row = element("tr", {}, element("th", { scope: "row" }, name));
    for (const { predictor, card } of page.models) {
      const found = await predictor.probabilities(values);
      const at = best(found);
      row.append(element("td", {}, `${card.classes[at]} (${percent(found[at])})`));
    }
    body.append(row);
  }
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const more = examples.length - MOST_ROWS;
  const parts = [element("table", {}, element("thead", {}, head), body)];
  if (more > 0) parts.push(element("p", { class: "hint" }, `${more} more rows are not shown.`));
  byId("many").replaceChildren(element("h3", {}, `All ${examples.length} examples`), ...parts);
}

document.body.classList.add("started");
start().catch((error) => {
  document.body.dataset.state = "failed";
  status("Not ready");
  fail(error);
});
