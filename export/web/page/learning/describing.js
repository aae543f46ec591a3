/** What an edge says of its data in its first answer: nothing of any one example. */

import { UserError } from "../errors.js";
import { real } from "./canonical_json.js";

/**
 * The description, in Python's words.
 *
 * @param {string} edge its name.
 * @param {object|null} task what the run's model takes, as the server says.
 */
export function describe(edge, task) {
  if (!task) {
    throw new UserError(
      "The server does not know yet what the data of its run is, and a browser can't tell it. Let " +
        "another edge join first, or give data.spec in the run's config."
    );
  }
  const range = (ends) => ends.map(real);
  const inputs = {
    name: edge,
    input_shape: task.input_shape,
    inputs_dtype: task.inputs_dtype,
    value_range: range(task.value_range),
    classes: task.classes,
    declared: task.declared ?? true,
    feature_ranges: (task.feature_ranges ?? []).map(range),
    columns: task.columns ?? null,
  };
  return { inputs, ranged: false, named: true }; // the page labels by the run's own classes
}
