/** Asks the server of the page, as one edge, what `ecavg web` answers. */

import { UserError } from "../errors.js";
import { sha256 } from "../files.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;

export class Client {
  /**
   * @param {object} given
   * @param {string} given.edge its name.
   * @param {string} given.key what shows that it is this edge.
   * @param {(reachable: boolean) => void} [given.onreach] told when the server can't be reached, and
   *     when it can again.
   */
  constructor({ edge, key, onreach = () => {} }) {
    this.base = new URL(`../../api/edges/${encodeURIComponent(edge)}/`, import.meta.url);
    Object.assign(this, { edge, key, onreach, signal: null });
    this.named = new Map(); // SHA-256 of the files that requests have named
  }

  /** Which run this is: {run_id, edge, over}. */
  async run() {
    return (await this.#asked("run")).json();
  }

  /** The request that waits for a reply: {id, files: [{name, bytes, sha256}, …]}, or null. */
  async request() {
    const answer = await this.#asked("request");
    if (answer.status === 204) return null;
    const request = await answer.json();
    for (const { name, sha256 } of request.files) this.named.set(name, sha256);
    return request;
  }

  /**
   * The bytes of a file, compared with the hash that a request named; null: the server has it no more.
   *
   * @param {string} name a file of the request, or a training file of an earlier one.
   */
  async file(name) {
    const answer = await this.#asked(`files/${encodeURIComponent(name)}`, {}, [404]);
    if (answer.status === 404) return null;
    const content = new Uint8Array(await answer.arrayBuffer());
    const expected = this.named.get(name);
    if (expected && (await sha256(content)) !== expected) {
      throw new UserError(`${name} was damaged on its way (SHA-256). Load the page again.`);
    }
    return content;
  }

  /**
   * Answers a request.
   *
   * @param {string} id of the request.
   * @param {object|string|Uint8Array} reply its JSON, with the SHA-256 of each file.
   * @param {{update?: Uint8Array, pooled?: Uint8Array}} [files] what goes along.
   * @returns {Promise<boolean>} whether it was taken; false: the server asks for something else by
   *     now, or has taken this reply before.
   */
  async reply(id, reply, files = {}) {
    const isPlain = typeof reply === "string" || reply instanceof Uint8Array;
    const told = isPlain ? reply : JSON.stringify(reply);
    const parts = Object.entries(files).filter(([, content]) => content);
    for (const [path, body] of [...parts.map(([name, one]) => [`${id}/${name}`, one]), [id, told]]) {
      const answer = await this.#asked(`reply/${path}`, { method: "PUT", body }, [409]);
      if (answer.status === 409) {
        const { error } = await answer.json();
        const waiting = await this.request();
        if (waiting?.id === id) throw new UserError(error); // another browser answers for the edge
        return false;
      }
    }
    return true;
  }

  /** An answer; a server that can't be reached is asked again and again. */
  async #asked(path, given = {}, expected = []) {
    const headers = { Authorization: `Bearer ${this.key}` };
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      const { signal } = this;
      signal?.throwIfAborted();
      let answer = null;
      try {
        answer = await fetch(new URL(path, this.base), { ...given, headers, signal, cache: "no-store" });
      } catch (error) {
        if (signal?.aborted) throw error;
      }
      this.onreach(answer !== null && answer.status < 500);
      if (answer?.ok || expected.includes(answer?.status)) return answer;
      if (answer !== null && answer.status < 500) throw await refusal(answer);
      await later(wait, signal);
    }
  }
}

async function refusal(answer) {
  let reason = `HTTP ${answer.status}`;
  try {
    reason = (await answer.json()).error;
  } catch {
    // a proxy's own page
  }
  return new UserError(`The server refuses this: ${reason}.`);
}

/** Waits; is done at once when the signal says so. */
function later(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
