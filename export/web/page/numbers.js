/** Rows of numbers that people paste, or take from a CSV file, as examples for the model. */

import { UserError } from "./errors.js";
import { checkValues } from "./predictor.js";

const PASSED_OVER = ["label", "group", "edge"]; // columns that are no inputs, as in Python

/**
 * Examples from text.
 *
 * @param {string} text rows of numbers between commas, semicolons, tabs or spaces; a first row
 *     without numbers is a header.
 * @param {object} info what bundle.json says.
 * @returns {{name: string, values: number[]}[]} at least one.
 */
export function examplesFrom(text, info) {
  const rows = rowsOf(text);
  const header = rows.length && rows[0].cells.some((cell) => cell && Number.isNaN(Number(cell)));
  const columns = header ? rows.shift().cells : null;
  if (!rows.length) throw new UserError("No row of numbers came. Give at least one.");
  const picked = picker(columns, info.columns);
  const numbers = rows.map(({ cells, line }) => ({
    name: `row ${line}`,
    values: picked(cells, line).map((cell) => numberOf(cell, line)),
  }));
  const examples = grouped(numbers, info.input.shape.slice(1));
  for (const { name, values } of examples) {
    try {
      checkValues(values, info);
    } catch (error) {
      throw new UserError(`In ${name}: ${error.message}`);
    }
  }
  return examples;
}

/** Cells of each row that is not empty, with the number of the row. */
export function rowsOf(text) {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  const separator = [",", ";", "\t"].find((sign) => lines.some((line) => line.includes(sign)));
  return lines
    .map((line, at) => ({ line: at + 1, cells: cellsOf(line, separator) }))
    .filter(({ cells }) => cells.some(Boolean));
}

function cellsOf(line, separator) {
  if (!separator) return line.trim().split(/\s+/);
  const cells = [];
  let [cell, quoted] = ["", false];
  for (let at = 0; at < line.length; at++) {
    const sign = line[at];
    if (quoted && sign === '"' && line[at + 1] === '"') {
      cell += '"';
      at++;
    } else if (sign === '"') quoted = !quoted;
    else if (sign === separator && !quoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += sign;
  }
  return [...cells, cell.trim()];
}

/** Puts the cells of a row into the order in which the model takes them. */
function picker(columns, wanted) {
  if (!columns) return (cells) => cells;
  const names = wanted ?? columns.filter((name) => !PASSED_OVER.includes(name));
  const missing = names.filter((name) => !columns.includes(name));
  const known = new Set([...names, ...PASSED_OVER]);
  const unknown = columns.filter((name) => !known.has(name));
  if (missing.length || unknown.length) {
    const [what, which] = missing.length ? ["missing", missing] : ["unknown", unknown];
    throw new UserError(
      `The column ${which[0]} is ${what}. The model takes the columns ${names.join(", ")}.`
    );
  }
  return (cells, line) => {
    if (cells.length !== columns.length) {
      throw new UserError(
        `Row ${line} has ${cells.length} cells, the header has ${columns.length}.`
      );
    }
    return names.map((name) => cells[columns.indexOf(name)]);
  };
}

function numberOf(cell, line) {
  const value = Number(cell);
  if (cell === "" || !Number.isFinite(value)) {
    throw new UserError(`Row ${line} holds "${cell}", which is no number (1.5, not 1,5).`);
  }
  return value;
}

/** One example a row; or, of signals, one for as many rows as there are steps of time. */
function grouped(rows, shape) {
  const count = shape.reduce((product, size) => product * size, 1);
  if (rows.every(({ values }) => values.length === count)) return rows;
  const [steps, channels] = shape;
  const isSignal = shape.length === 2 && rows.every(({ values }) => values.length === channels);
  if (isSignal && rows.length % steps === 0) {
    return Array.from({ length: rows.length / steps }, (_, at) => ({
      name: `signal ${at + 1}`,
      values: rows.slice(at * steps, (at + 1) * steps).flatMap(({ values }) => values),
    }));
  }
  const signal = shape.length === 2 ? `, or ${steps} rows of ${channels} numbers` : "";
  const { name, values } = rows.find((row) => row.values.length !== count);
  throw new UserError(
    `${name[0].toUpperCase()}${name.slice(1)} has ${values.length} numbers. An example is one row ` +
      `of ${count} numbers${signal}.`
  );
}
