/** Starts the page by which a browser takes part in a run as one of its edges. */

import { byId } from "../dom.js";
import { said } from "../errors.js";
import { Answering } from "./answering.js";
import { Client } from "./client.js";
import { Collection } from "./collection.js";
import { ExamplesPanel } from "./examples_panel.js";
import { identity } from "./identity.js";
import { keepPage, keepValues } from "./offline.js";
import { tell } from "./progress.js";
import { TakingPart } from "./taking_part.js";
import { asked, keptTask } from "./task.js";

const page = { task: null, part: null, panel: null };
let unreached = false;

function fail(error) {
  byId("message").textContent = said(error);
  byId("message").hidden = false;
}

function state(name) {
  document.body.dataset.state = name;
}

async function start() {
  const { edge, key, store } = await identity();
  addEventListener("hashchange", () => location.reload()); // another link was opened here
  document.title = `Take part: ${edge}`;
  byId("part-title").textContent = `This device is ${edge}`;
  keepPage().then((words) => (byId("offline").textContent = words));
  const us = { edge, key, store };
  const known = await keptTask(store);
  if (known) await show(known, us);
  status("Connecting to the server …");
  page.part?.goOn();
  const task = await asked(new Client({ edge, key, onreach }), store, (why) => {
    if (!page.task) state("waiting");
    status(waitingFor(why));
  });
  if (!task) return;
  await show(task, us);
  status("Connected. Add examples, then take part.");
  page.part.goOn();
}

function waitingFor({ over, unknown }) {
  if (over) return "The run is over.";
  if (unknown) return "Connected. Another edge must first tell the server what the data of the run is.";
  return "Connected. The server asks nothing yet; this page waits.";
}

/** While this browser takes part, that is what there is to say. */
function status(text) {
  if (!page.part?.running) byId("status").textContent = text;
}

/** What the server says of its model; the same again changes nothing. */
async function show(task, { edge, key, store }) {
  if (page.task && JSON.stringify(page.task.info) === JSON.stringify(task.info)) return;
  const data = await Collection.open(store, task.info);
  const client = new Client({ edge, key, onreach }); // stops when the user says so
  const answering = new Answering(store, task.info, fail);
  page.task = task;
  page.panel?.inputs.close();
  page.part?.stop();
  page.part = new TakingPart({ client, store, data, fail, onaccepted: () => answering.load() });
  page.panel = new ExamplesPanel(task, data, {
    onexamples: (examples) => {
      byId("message").hidden = true;
      answering.answer(examples[0] ?? null);
    },
    onkept: () => {
      keepValues();
      byId("message").hidden = true;
      page.part.offer();
    },
    onerror: fail,
  });
  byId("work").hidden = false;
  await answering.load();
  state("ready");
}

function onreach(reachable) {
  if (!reachable && !unreached) tell("The server can't be reached; it is tried again and again.");
  if (reachable && unreached) tell("The server is there again.");
  unreached = !reachable;
  document.body.dataset.reach = reachable ? "yes" : "no";
}

document.body.classList.add("started");
start().catch((error) => {
  if (document.body.dataset.state !== "ready") state("failed");
  status("Not connected.");
  fail(error);
});
