/** Takes part in the run while the user wants to. */

import { byId } from "../dom.js";
import { UserError } from "../errors.js";
import { events } from "./events.js";
import { tell, training } from "./progress.js";

const WANTED = "takes-part"; // kept: a tab that was closed goes on when it is opened again
const TAKEN = "run/examples"; // the agent's: those that the run began with

export class TakingPart {
  /**
   * @param {object} given
   * @param {object} given.client asks the server.
   * @param {object} given.store what this browser keeps of the edge.
   * @param {object} given.data the examples.
   * @param {(error: Error) => void} given.fail told what went wrong.
   * @param {() => void} given.onaccepted told of another accepted model.
   */
  constructor({ client, store, data, fail, onaccepted }) {
    Object.assign(this, { client, store, data, fail, onaccepted, running: null });
    byId("start").onclick = () => this.#begin();
    byId("stop").onclick = () => this.#leave();
    this.offer();
  }

  /** Shows what can be done now. */
  async offer() {
    byId("start").hidden = Boolean(this.running);
    byId("stop").hidden = !this.running;
    byId("start").disabled = !this.data.counts.some(Boolean);
    const taken = await this.store.keys(TAKEN);
    byId("later").hidden = !(this.running && taken.length);
  }

  /** Goes on where a closed tab was. */
  async goOn() {
    if (await this.store.get(WANTED)) await this.#begin();
  }

  /** Leaves off, for now. */
  stop() {
    this.running?.abort();
  }

  async #leave() {
    await this.store.delete(WANTED);
    this.stop();
  }

  async #begin() {
    if (this.running) return;
    const { signal } = (this.running = new AbortController());
    byId("message").hidden = true;
    this.client.signal = signal;
    this.offer();
    try {
      await this.store.put(WANTED, true);
      await this.#alone(() => this.#run(signal));
      if (!signal.aborted) await this.store.delete(WANTED);
    } catch (error) {
      if (!signal.aborted) {
        tell("Stopped.");
        this.fail(error);
      }
    }
    if (signal.aborted) tell("Stopped. It goes on when you take part again.");
    this.client.signal = this.running = null;
    training(null);
    this.offer();
  }

  async #run(signal) {
    const { Agent } = await import("../learning/agent.js");
    const { client, store, data } = this;
    const listener = events(this.onaccepted, () => this.offer());
    const awake = await navigator.wakeLock?.request("screen").catch(() => null);
    try {
      tell("Taking part.");
      await new Agent({ edge: client.edge, client, store, data, listener }).run(signal);
    } finally {
      await awake?.release();
    }
  }

  /** One tab of a browser at a time: two would overwrite each other's state. */
  async #alone(work) {
    const { edge } = this.client;
    await navigator.locks.request(`ecavg/${edge}`, { ifAvailable: true }, async (lock) => {
      if (!lock) {
        throw new UserError(`Another tab of this browser takes part as ${edge} already. Use that one.`);
      }
      await work();
    });
  }
}
