/** What the run's model takes and tells apart: as the server's first request says, and kept since. */

import { UserError } from "../errors.js";
import { HELLO, readRequest } from "../learning/requests.js";
import { readTrainingBundle } from "../learning/training_bundle.js";

const KEPT = "task";
const LOOK_MS = 2000;

/** What was kept of an earlier visit; undefined: nothing. */
export function keptTask(store) {
  return store.get(KEPT);
}

/**
 * Waits for a request that says it.
 *
 * @param {object} client asks the server.
 * @param {object} store keeps it, for a visit without a network.
 * @param {(why: {over: boolean, unknown: boolean}) => void} onwait told why nothing is known yet: there
 *     is no request, the run is over, or the server does not know it itself.
 * @returns {Promise<{info: object, inputs: {shape: number[], data: ArrayLike<number>}}|null>} as a
 *     bundle has them, with some inputs to show; null: the run is over and never said it.
 */
export async function asked(client, store, onwait) {
  for (;;) {
    const request = await client.request();
    const task = request && (await taskOf(client, request.files));
    if (task) return kept(store, task);
    const { over } = await client.run();
    onwait({ over, unknown: Boolean(request) });
    if (over) return null;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function kept(store, task) {
  await store.put(KEPT, task);
  return task;
}

async function taskOf(client, [request, training]) {
  if (training) {
    const content = await client.file(training.name);
    const { info, golden } = await readTrainingBundle(training.name, content);
    return { info: forPage(info), inputs: golden.inputs };
  }
  const { kind, inputs } = await readRequest(request.name, await client.file(request.name));
  if (kind === HELLO && !inputs) return null; // once another edge has said it, it is asked anew
  if (!inputs) {
    throw new UserError(
      "The server sends no file that a browser can train. Start the run with " +
        "--config.fleet.training_file=dense (or head)."
    );
  }
  return { info: forPage(inputs), inputs: { shape: [0, ...inputs.input_shape], data: [] } };
}

/** The description as the parts of the page want it that predict with bundles, too. */
function forPage(info) {
  const { classes, value_range, input_shape, inputs_dtype, columns = null, origin = {} } = info;
  const input = { shape: [1, ...input_shape], dtype: "float32" };
  const declared = info.declared ?? true;
  return { classes, value_range, input_shape, inputs_dtype, columns, origin, declared, input };
}
