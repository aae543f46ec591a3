/** How the golden examples of a one-channel model are drawn, so that a drawing can look alike. */

import { exampleOf } from "./npy.js";

const INK = 0.25; // of the range: what is above it belongs to a stroke
const MOST = 32;

/**
 * What the golden examples have in common, lengths as shares of the picture's larger side.
 *
 * @returns {{dark: boolean, extent: number, centre: number[], pen: number}} whether strokes are
 *     dark on a light ground, their extent, their centre of mass, and the width of the pen.
 */
export function inkOf(inputs, info, shape) {
  const count = Math.min(MOST, inputs.shape[0]);
  const [low, high] = info.value_range;
  const examples = Array.from({ length: count }, (_, at) =>
    Array.from(exampleOf(inputs, at), (value) => (value - low) / (high - low))
  );
  const border = examples.flatMap((values) => values.filter((_, at) => isBorder(at, shape)));
  const dark = border.reduce((sum, value) => sum + value, 0) / border.length > 0.5;
  const facts = examples
    .map((values) => strokeFacts(dark ? values.map((value) => 1 - value) : values, shape))
    .filter((fact) => fact !== null);
  const mean = (pick, otherwise) =>
    facts.length ? facts.reduce((sum, fact) => sum + pick(fact), 0) / facts.length : otherwise;
  return {
    dark,
    extent: mean((fact) => fact.extent, 0.75),
    centre: [mean((fact) => fact.centre[0], 0.5), mean((fact) => fact.centre[1], 0.5)],
    pen: Math.min(0.2, Math.max(0.04, mean((fact) => fact.pen, 0.1))),
  };
}

function isBorder(at, { width, height }) {
  const [x, y] = [at % width, Math.floor(at / width)];
  return x === 0 || y === 0 || x === width - 1 || y === height - 1;
}

function strokeFacts(values, { width, height }) {
  const side = Math.max(width, height);
  let [area, edges, massX, massY] = [0, 0, 0, 0];
  const [columns, rows] = [[], []];
  values.forEach((value, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    area += value;
    massX += value * (x + 0.5);
    massY += value * (y + 0.5);
    edges += Math.abs(value - (x + 1 < width ? values[at + 1] : 0));
    edges += Math.abs(value - (y + 1 < height ? values[at + width] : 0));
    if (value > INK) {
      columns.push(x);
      rows.push(y);
    }
  });
  if (!columns.length) return null;
  const wide = Math.max(...columns) - Math.min(...columns) + 1;
  const tall = Math.max(...rows) - Math.min(...rows) + 1;
  return {
    extent: Math.max(wide, tall) / side,
    centre: [massX / area / width, massY / area / height],
    // A line's area is its length times its width, its outline twice its length; steps along the
    // axes overrate an outline by 4/π.
    pen: (2 * area) / (edges * (Math.PI / 4)) / side,
  };
}
