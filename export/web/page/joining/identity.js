/** Which edge this tab is: from the link that opened it, or what this browser keeps. */

import { UserError } from "../errors.js";
import { knownEdges, Store } from "./store.js";

const KEY = "key";

/**
 * The edge, its store and its key. The key leaves the address at once, and stays in the store.
 *
 * @returns {Promise<{edge: string, key: string, store: Store}>}
 */
export async function identity() {
  const said = new URLSearchParams(location.hash.slice(1));
  const edge = said.get("edge") ?? (await onlyEdge());
  const store = await Store.open(edge);
  const given = said.get(KEY);
  const kept = await store.get(KEY);
  // A link that was cut must not cost this browser the key that it has.
  if (given && given !== kept && (!kept || (await opens(edge, given)))) await store.put(KEY, given);
  history.replaceState(null, "", `#edge=${encodeURIComponent(edge)}`);
  const key = await store.get(KEY);
  if (!key) throw new UserError(`This browser has no key of ${edge}. Open the whole link again.`);
  return { edge, key, store };
}

/** Whether the server takes a key as the edge's. */
async function opens(edge, key) {
  const headers = { Authorization: `Bearer ${key}` };
  const run = new URL(`../../api/edges/${encodeURIComponent(edge)}/run`, import.meta.url);
  const answer = await fetch(run, { headers }).catch(() => null);
  return answer?.ok ?? false;
}

async function onlyEdge() {
  const edges = await knownEdges();
  if (edges.length === 1) return edges[0];
  const which = edges.length ? ` This browser has been ${edges.join(", ")}.` : "";
  throw new UserError(`Which edge is this? Open the link that the owner of the run gave you.${which}`);
}
