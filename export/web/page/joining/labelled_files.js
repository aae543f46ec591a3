/** Files of labelled examples: .npz with x and y, or .csv with a column of labels. */

import { UserError } from "../errors.js";
import { readZip } from "../learning/zips.js";
import { examplesFrom, rowsOf } from "../numbers.js";
import { exampleOf, readNpy } from "../npy.js";
import { checkValues } from "../predictor.js";

const LABEL = "label";

/**
 * The examples in a file.
 *
 * @param {File} file what the user picked.
 * @param {object} info what the run's model takes, as in a bundle.
 * @returns {Promise<{values: ArrayLike<number>, label: string}[]>}
 */
export async function labelledFrom(file, info) {
  if (/\.npz$/i.test(file.name)) {
    return fromArrays(file.name, new Uint8Array(await file.arrayBuffer()), info);
  }
  return fromTable(file.name, await file.text(), info);
}

function fromArrays(name, content, info) {
  let members;
  try {
    members = readZip(content);
  } catch (error) {
    throw new UserError(`${name} can't be read: ${error.message}. Save it with numpy.savez.`);
  }
  const [x, y] = ["x", "y"].map((letter) => {
    const found = [`${letter}_train.npy`, `${letter}.npy`].find((member) => members.has(member));
    if (!found) throw new UserError(`${name} has no array ${letter}_train.`);
    return readNpy(`${found} in ${name}`, members.get(found));
  });
  if (y.shape.length !== 1 || y.shape[0] !== x.shape[0]) {
    throw new UserError(`${name} has ${x.shape[0]} examples and ${y.shape.join(" × ")} labels.`);
  }
  return Array.from(y.data, (label, at) => {
    const values = exampleOf(x, at);
    const where = `example ${at + 1} of ${name}`;
    check(values, info, where);
    return { values, label: classAt(label, info, where) };
  });
}

function fromTable(name, text, info) {
  const [header, ...rows] = rowsOf(text);
  const column = header?.cells.indexOf(LABEL) ?? -1;
  if (column < 0) throw new UserError(`${name} has no column "${LABEL}" in its first row.`);
  const examples = examplesFrom(text, info);
  const each = rows.length / examples.length; // of a signal, one row for each step of time
  return examples.map(({ values }, at) => {
    const { cells, line } = rows[at * each];
    const where = `row ${line} of ${name}`;
    check(values, info, where);
    return { values, label: className(cells[column], info, where) };
  });
}

/** Refuses what the model was not made for, and fractions where the run has whole numbers. */
function check(values, info, where) {
  try {
    checkValues(values, info);
  } catch (error) {
    throw new UserError(`In ${where}: ${error.message}`);
  }
  const fraction = /^u?int/.test(info.inputs_dtype) && values.find((one) => !Number.isInteger(one));
  if (fraction) {
    throw new UserError(`In ${where}: ${fraction} is a fraction, the run has whole numbers.`);
  }
}

/** The class that a table names, or whose place it gives. */
function className(label, info, where) {
  return info.classes.includes(label) ? label : classAt(label, info, where);
}

function classAt(label, info, where) {
  const found = /^\d+$/.test(String(label)) ? info.classes[Number(label)] : undefined;
  if (found === undefined) {
    throw new UserError(
      `The label ${label} (${where}) is none of the run's classes: ${info.classes.join(", ")}.`
    );
  }
  return found;
}
