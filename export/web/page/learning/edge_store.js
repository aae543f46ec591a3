/**
 * What an edge keeps of a run, so that it goes on after any interruption
 * (`edge/participating/store.py`).
 *
 * Keys carry the number of their round. A reply is written last and makes its round count; only then
 * is older removed. So what was cut off is done again, to the same bits, and what was answered is
 * answered the same way again.
 */

import { UserError } from "../errors.js";
import { sha256 } from "./hashing.js";

const RUN = "run/"; // what belongs to one run; a new one begins without it
const OWNER = `${RUN}owner`;
const STATE = "state";
export const BUNDLE = "bundle/";
export const ACCEPTED = "accepted";

export class EdgeStore {
  /**
   * @param {object} store keeps values by key: get, put, delete and keys(prefix).
   * @param {string} runId the run; what is kept of another one is removed, but for what it accepted.
   * @returns {Promise<EdgeStore>}
   */
  static async open(store, runId) {
    if ((await store.get(OWNER)) !== runId) {
      for (const key of await store.keys(RUN)) await store.delete(key);
      await store.put(OWNER, runId);
    }
    return new EdgeStore(store);
  }

  constructor(store) {
    this.store = store;
  }

  get(kind, round) {
    return this.store.get(keyOf(kind, round));
  }

  put(kind, round, value) {
    return this.store.put(keyOf(kind, round), value);
  }

  /** A value of the whole run, made once. */
  async once(name, make) {
    const known = await this.store.get(RUN + name);
    if (known !== undefined) return known;
    const made = await make();
    await this.store.put(RUN + name, made);
    return made;
  }

  /** Makes a round's reply count, then removes what it supersedes. */
  async commit(round, reply) {
    await this.put("reply", round, reply);
    const kept = { accepted: round - 1, update: round, reply: round };
    for (const [kind, from] of Object.entries(kept)) {
      const numbers = await this.numbers(kind);
      const last = Math.max(...numbers); // an edge that sat rounds out keeps what it has
      for (const number of numbers) {
        if (number < Math.min(from, last)) await this.store.delete(keyOf(kind, number));
      }
    }
  }

  /**
   * The reply that was given to a round already; undefined: none was.
   *
   * @param {string} start hash of the model that the round starts from.
   */
  async reply(round, start) {
    const reply = await this.get("reply", round);
    if (reply && reply.start !== start) {
      throw new UserError(
        `This browser answered round ${round} already, but from another start model: the server ` +
          "began this run again. Start it with a new work directory, or join as another edge."
      );
    }
    return reply;
  }

  /** The update of the newest round that counts, up to some round; null: there is none. */
  async lastUpdate(upTo) {
    const round = (await this.numbers("reply")).filter((number) => number <= upTo).at(-1);
    if (round === undefined) return null;
    const content = await this.get("update", round);
    if (!content || (await sha256(content)) !== (await this.get("reply", round)).update) {
      throw new UserError(`What this browser kept of round ${round} is damaged. Clear its data.`);
    }
    return content;
  }

  /** What was accepted last, of a global model of a round before; null: nothing. */
  async lastAccepted(before) {
    const round = (await this.numbers("accepted")).filter((number) => number < before).at(-1);
    return round === undefined ? null : this.get("accepted", round);
  }

  /** Keeps an accepted model, also for who predicts with it when the run is over. */
  async accept(round, accepted) {
    await this.put("accepted", round, accepted);
    await this.store.put(ACCEPTED, accepted);
  }

  /** Keeps a training bundle, without which nothing predicts; drops those that no model needs. */
  async keepBundle(frozen, hash, content) {
    const known = await this.store.get(BUNDLE + frozen);
    if (known?.sha256 !== hash) await this.store.put(BUNDLE + frozen, { sha256: hash, content });
    const needed = new Set([frozen, (await this.store.get(ACCEPTED))?.frozen]);
    for (const round of await this.numbers("accepted")) {
      needed.add((await this.get("accepted", round)).frozen);
    }
    for (const round of await this.numbers("reply")) {
      needed.add((await this.get("reply", round)).frozen);
    }
    for (const key of await this.store.keys(BUNDLE)) {
      if (!needed.has(key.slice(BUNDLE.length))) await this.store.delete(key);
    }
  }

  async numbers(kind) {
    const keys = await this.store.keys(`${RUN}${kind}-`);
    return keys.map((key) => Number(key.slice(key.lastIndexOf("-") + 1))).sort((a, b) => a - b);
  }
}

function keyOf(kind, round) {
  return `${RUN}${kind}-${String(round).padStart(4, "0")}`;
}

/** A training bundle that was kept, by the hash of its bytes; undefined: there is none. */
export async function keptBundle(store, hash) {
  for (const key of await store.keys(BUNDLE)) {
    const kept = await store.get(key);
    if (kept.sha256 === hash) return kept.content;
  }
  return undefined;
}

/** Whose an edge's name is: the browser's, which got a random name when it was first asked. */
export async function ownerOf(store) {
  let state = await store.get(STATE);
  if (!state) {
    const drawn = crypto.getRandomValues(new Uint8Array(16));
    state = Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("");
    await store.put(STATE, state);
  }
  const since = `${new Date().toISOString().slice(0, 19)}+00:00`;
  return { state, where: `a browser: ${navigator.userAgent}`.slice(0, 200), since };
}
