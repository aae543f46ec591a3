/**
 * JSON of the same bytes as Python's `canonical_json`: sorted keys, no spaces, ASCII.
 *
 * Seeds and seals are hashes of such text, so every byte of it counts.
 */

/** A number that is a float in Python: 1 is written as 1.0 there. */
export class Real {
  constructor(value) {
    this.value = value;
  }
}

/** A float, or null where there is none. */
export function real(value) {
  return value === null || value === undefined ? null : new Real(value);
}

/** The text of a value of plain JSON, in which floats may be `Real`. */
export function canonicalJson(value) {
  if (value instanceof Real) return realText(value.value);
  if (typeof value === "number") {
    return Number.isInteger(value) ? String(value) : realText(value);
  }
  if (typeof value === "string") return textOf(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value === "boolean") return String(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${textOf(name)}:${canonicalJson(value[name])}`).join(",")}}`;
}

function textOf(value) {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
  );
}

/** Both languages write the fewest digits that tell a float; they differ in when e comes. */
function realText(value) {
  if (!Number.isFinite(value)) throw new Error(`${value} has no place in JSON`);
  const [digits, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}
