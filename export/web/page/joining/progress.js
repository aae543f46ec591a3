/** Says in words what happens while this browser takes part. */

import { byId, element } from "../dom.js";

const MOST_LINES = 200;

/** A line of the history, and where it is news, of the status. */
export function tell(text, { isNews = true } = {}) {
  const log = byId("log");
  log.append(element("li", {}, text));
  while (log.children.length > MOST_LINES) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
  byId("history").hidden = false;
  if (isNews) byId("status").textContent = text;
}

/** A fact of the run, or its newest value. */
export function fact(term, text) {
  const facts = byId("facts");
  const known = Array.from(facts.children).find((each) => each.dataset.term === term);
  const value = known ?? element("div", {}, element("dt", {}, term), element("dd"));
  value.dataset.term = term;
  value.lastChild.textContent = text;
  if (!known) facts.append(value);
}

/** Shows how far training is; null: nothing trains. */
export function training(text, share = 0) {
  byId("training").hidden = text === null;
  byId("stage").textContent = text ?? "";
  byId("progress").value = share;
}
