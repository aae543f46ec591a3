/**
 * A browser tab that is an edge of a run: it answers what the server asks, until the run is over.
 *
 * What `edge/participating/agent.py` does in Python, with the files that a server ships to devices
 * without TensorFlow.
 */

import { UserError } from "../errors.js";
import { canonicalJson } from "./canonical_json.js";
import { describe } from "./describing.js";
import { EdgeStore, keptBundle, ownerOf } from "./edge_store.js";
import { FrozenFiles, heldOf } from "./frozen_files.js";
import { sha256 } from "./hashing.js";
import { Stopped } from "./learner.js";
import { checkProbe } from "./proving.js";
import { HELLO, readRequest } from "./requests.js";
import { fits } from "./templates.js";
import { Worker } from "./worker.js";

const POLL_MS = 1000; // how long it waits between two looks

export class Agent {
  /**
   * @param {object} given
   * @param {string} given.edge the edge's name.
   * @param {object} given.client speaks with the server: run(), request(), file(name) and
   *     reply(id, json, files).
   * @param {object} given.store keeps values by key: async get, put, delete and keys(prefix).
   * @param {object} given.data gives the labelled examples: examples() is {x, shape, y, dtype}, and
   *     maybe `test`, the like of it.
   * @param {(event: object) => void} given.listener told what happens: {kind: "note"|"stage"|"epoch"|
   *     "decision"|"over", …}.
   */
  constructor({ edge, client, store, data, listener }) {
    Object.assign(this, { edge, client, store, data, listener });
    this.files = new FrozenFiles(store);
    this.worker = null;
    this.runId = null;
  }

  /**
   * Answers requests until the run's last.
   *
   * @param {AbortSignal} [signal] stops it; what is trained is kept, up to the last whole epoch.
   */
  async run(signal) {
    this.owner = await ownerOf(this.store);
    try {
      while (!signal?.aborted) {
        const asked = await this.client.request();
        if (asked) await this.#answer(asked, signal);
        else if ((await this.client.run()).over) return this.listener({ kind: "over" });
        else await later(POLL_MS, signal);
      }
    } catch (error) {
      if (!(error instanceof Stopped || signal?.aborted)) throw error;
    } finally {
      this.files.close();
    }
  }

  /** Answers one request; whatever goes wrong, the server is told why there is no answer. */
  async #answer(asked, signal) {
    const [named] = asked.files;
    const request = await readRequest(named.name, await this.client.file(named.name));
    let answer;
    try {
      answer = await this.#answerTo(request, signal);
    } catch (error) {
      if (signal?.aborted || error instanceof Stopped) throw error;
      const reason = `${error.message}`.replace(/\s+/g, " ");
      await this.client.reply(asked.id, this.#told(request, "{}", {}, reason));
      throw error;
    }
    const { body, update } = answer;
    const files = update ? { update } : {};
    const hashes = update ? { update: await sha256(update) } : {};
    if (await this.client.reply(asked.id, this.#told(request, body, hashes), files)) {
      const when = request.kind === HELLO ? "" : `Round ${request.round}: `;
      this.listener({ kind: "note", text: `${when}answered "${request.kind}"` });
    }
  }

  /** The reply as JSON; its body is text already, as it was kept. */
  #told({ runId }, body, files, error = null) {
    const rest = canonicalJson({ error, files, owner: this.owner, run_id: runId });
    return `{"body":${body},${rest.slice(1)}`;
  }

  async #answerTo(request, signal) {
    if (request.signed) {
      throw new UserError(
        "This run takes signed replies only, which a browser does not write; leave " +
          "fleet.edge_keys out of the run."
      );
    }
    if (request.kind === HELLO) {
      return { body: canonicalJson({ description: describe(this.edge, request.inputs) }) };
    }
    await this.#prepare(request);
    return this.worker.answer(request, signal);
  }

  /** Loads the training file, and makes sure that it is the model's. */
  async #prepare(request) {
    const { trainingFile, weights } = request;
    if (!trainingFile) {
      throw new UserError(
        "The server ships no training file; set fleet.training_file=head or dense in the run."
      );
    }
    if (!weights) {
      throw new UserError("A browser has no start of its own; set model.init=shared in the run.");
    }
    const content = await this.#bundle(trainingFile);
    const { info } = await this.files.take(trainingFile.name, content);
    if (!fits(request.template, info.template)) {
      throw new UserError("The training file is of another model than the server's.");
    }
    const model = request.probe && (await this.files.of(weights));
    if (model) await checkProbe(model, heldOf(weights, model.info), request.probe);
    const kept = await EdgeStore.open(this.store, request.runId);
    if (this.runId !== request.runId) {
      const { edge, files, data, listener } = this;
      this.worker = await Worker.make({ edge, request, kept, files, data, listener });
      this.runId = request.runId;
    }
    await kept.keepBundle(info.frozen_sha256, trainingFile.sha256, content);
  }

  /** The training file: most runs have one for all rounds, and a phone pays for every byte. */
  async #bundle({ name, sha256: hash }) {
    const kept = await keptBundle(this.store, hash);
    if (kept) return kept;
    const content = await this.client.file(name);
    if (!content || (await sha256(content)) !== hash) {
      throw new UserError(`${name} is not the file that the request names.`);
    }
    return content;
  }
}

/** Waits; is done at once when the signal says so. */
function later(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });
}
