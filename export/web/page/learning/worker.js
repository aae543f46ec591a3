/** One edge: it decides, trains and answers (`edge/participating/worker.py`). */

import { UserError } from "../errors.js";
import { canonicalJson, real } from "./canonical_json.js";
import { decisionOf } from "./decisions.js";
import { Examples, examplesFor, splitOffGuard } from "./examples.js";
import { heldOf } from "./frozen_files.js";
import { sha256 } from "./hashing.js";
import { Learner } from "./learner.js";
import { POLICIES } from "./policies.js";
import { scoreOf } from "./predictions.js";
import { EXCHANGE } from "./requests.js";
import { levelOf, settingsOf } from "./settings.js";
import { tensorOf, writeTensors } from "./tensors.js";
import { frozenSha256, templateSha256, weightsSha256 } from "./templates.js";
import { sentOf, weightsIn, writeUpdate } from "./updates.js";

const OTHER = "The training file is of another model: layers that it keeps frozen came with other weights.";

export class Worker {
  /**
   * @param {object} given
   * @param {string} given.edge its name.
   * @param {object} given.request the first one of the run.
   * @param {EdgeStore} given.kept what it keeps.
   * @param {FrozenFiles} given.files the training files.
   * @param {object} given.data the page's examples.
   * @param {(event: object) => void} given.listener told of stages.
   */
  static async make({ data, kept, files, request, edge, ...others }) {
    const { config } = request;
    const { info } = files.current;
    if (!POLICIES[config["update.policy"]]) {
      throw new UserError(`update.policy=${config["update.policy"]} is code that no browser has.`);
    }
    settingsOf(config, info); // before anything is trained
    // What was trained on once must never decide: so examples that are added wait for the next run.
    const { inputs, labels, test } = await kept.once("examples", () => snapshot(data, info));
    const all = new Examples(inputs, labels);
    const split = await splitOffGuard(edge, all, config["partition.guard_fraction"], config.seed);
    const tests = test ? new Examples(test.inputs, test.labels) : null;
    return new Worker({ ...others, kept, files, edge, config, ...split, test: tests });
  }

  constructor(given) {
    Object.assign(this, given); // edge, config, train, guard, test, kept, files, listener
    this.classCounts = this.train.classCounts(this.files.current.info.classes.length);
  }

  /**
   * The answer to a request: from the store where it was given before.
   *
   * @returns {Promise<{body: string, update: Uint8Array|null}>} JSON, and the update file.
   */
  answer(request, signal) {
    return request.kind === EXCHANGE ? this.#exchange(request, signal) : this.#finish(request);
  }

  /** Decides on the global model of the round before, then trains. */
  async #exchange(request, signal) {
    const { round, weights } = request;
    const start = await weightsSha256(weights);
    let reply = await this.kept.reply(round, start);
    if (!reply) {
      const decision = round > 1 ? await this.#decide(round - 1, request) : null;
      const { content, seconds } = await this.#train(request, signal);
      await this.kept.put("update", round, content);
      const frozen = await frozenSha256(weights, this.files.current.info.held);
      const body = canonicalJson({ decision, seconds });
      reply = { start, frozen, update: await sha256(content), body };
      await this.kept.commit(round, reply);
    }
    return { body: reply.body, update: await this.kept.get("update", round) };
  }

  /** Decides on the last global model. */
  async #finish(request) {
    const { round, weights } = request;
    if (!weights) throw new UserError("The run's end came without a global model.");
    let body = await this.kept.get("finish", round);
    if (!body) {
      body = canonicalJson({ decision: await this.#decide(round, request) });
      await this.kept.put("finish", round, body);
    }
    return { body, update: null };
  }

  async #train({ round, template, weights }, signal) {
    this.listener({ kind: "stage", round, stage: "pretrain", text: `Round ${round}: training` });
    const began = performance.now();
    const model = this.files.current;
    const { held } = model.info;
    if ((await frozenSha256(weights, held)) !== model.info.frozen_sha256) throw new UserError(OTHER);
    const { store } = this.kept;
    const settings = settingsOf(this.config, model.info);
    const learner = new Learner(model, settings, {
      seed: this.config.seed, store, listener: this.listener,
    });
    const given = { round, who: this.edge, signal };
    const trained = await learner.fit(heldOf(weights, model.info), this.train, given);
    const local = [...weights];
    held.forEach((at, which) => (local[at] = tensorOf(trained[which], weights[at].shape)));
    const ended = performance.now();
    const metrics = { start: await this.#scores(weights), local: await this.#scores(local) };
    const info = {
      round,
      edge: this.edge,
      examples: this.train.count,
      class_counts: this.classCounts,
      template_sha256: await templateSha256(template),
      metrics,
    };
    const content = writeUpdate(info, sentOf(template, local, held));
    const seconds = {
      pretrain: real((ended - began) / 1000),
      evaluate: real((performance.now() - ended) / 1000),
    };
    return { content, seconds };
  }

  /** Scores on the edge's own test examples, which it may lack. */
  async #scores(weights) {
    if (!this.test) return { own: null, all: null };
    const { accuracy, loss, n } = scoreOf(await this.#predictions(weights, this.test));
    return { own: { accuracy: real(accuracy), loss: real(loss), n }, all: null };
  }

  async #predictions(weights, examples) {
    const found = await this.files.predictions(weights, examples);
    if (!found) throw new UserError(OTHER);
    return found;
  }

  /** Decides on the request's model as the global model of a round; keeps what is accepted. */
  async #decide(round, request) {
    this.listener({ kind: "stage", round, stage: "update", text: `Round ${round}: deciding` });
    const began = performance.now();
    const situation = await this.#situation(round, request);
    const choice = await POLICIES[this.config["update.policy"]](situation);
    const decided = performance.now();
    const { decision, accepted } = await decisionOf(choice, {
      round,
      edge: this.edge,
      examples: this.train.count,
      classCounts: this.classCounts,
      local: situation.local,
      test: this.test,
      predictions: (weights) => this.#predictions(weights, this.test),
    });
    decision.seconds = real((decided - began) / 1000);
    decision.evaluate_seconds = real((performance.now() - decided) / 1000);
    const { rung, alpha, weights } = choice.accepted;
    const keys = request.template.weights.map(({ key }) => key);
    const named = new Map(keys.map((key, at) => [key, weights[at]]));
    const frozen = await frozenSha256(weights, this.files.current.info.held);
    const content = writeTensors(named, canonicalJson(decision));
    await this.kept.accept(round, { round, rung, alpha, frozen, keys, content });
    this.listener({ kind: "decision", round, rung, alpha, evidence: choice.evidence, accepted });
    return decision;
  }

  async #situation(round, { template, weights, trainedOn }) {
    const classes = this.classCounts.length;
    if (trainedOn && trainedOn.length !== classes) {
      throw new UserError(`The server counts ${trainedOn.length} classes, this edge ${classes}.`);
    }
    const update = await this.kept.lastUpdate(round);
    const previous = await this.kept.lastAccepted(round);
    const { head, head_bias: headBias } = this.files.current.info;
    return {
      globalModel: weights,
      local: update && weightsIn(update, template, weights),
      previous: previous && weightsIn(previous.content, template, weights),
      onGuard: (candidate) => this.#predictions(candidate, this.guard),
      runs: async (candidate) => (await this.files.of(candidate)) !== null,
      guard: this.guard,
      head,
      headBias,
      edge: this.edge,
      seed: this.config.seed,
      classCounts: this.classCounts,
      trainedOn,
      level: levelOf(this.config),
      rule: this.config["update.rule"],
      pause: this.files.current.pause,
    };
  }
}

/** The page's examples as they are now, checked. */
async function snapshot(data, info) {
  const given = await data.examples();
  const { inputs, labels } = examplesFor(given, info);
  const test = given.test ? examplesFor(given.test, info) : null;
  return { inputs, labels, test: test && { inputs: test.inputs, labels: test.labels } };
}
