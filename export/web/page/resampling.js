/** Resizes pictures as Pillow's `resize(size, BILINEAR, box=box)` does, but for steps of 1 in 255. */

const { fround } = Math; // Pillow holds the box in float32
const BITS = 22;
const ONE = 2 ** BITS;

/**
 * A part of a picture in another size.
 *
 * @param {{width: number, height: number, channels: number, data: ArrayLike<number>}} picture
 *     values from 0 to 255, row by row, channels last.
 * @param {{width: number, height: number}} size the new size.
 * @param {number[]} box left, top, right and bottom of the part; may end between pixels.
 */
export function resized(picture, size, box) {
  const [left, top, right, bottom] = box.map(fround);
  const whole = left === 0 && top === 0 && right === picture.width && bottom === picture.height;
  if (whole && size.width === picture.width && size.height === picture.height) return picture;
  const { channels } = picture;
  const across = weights(picture.width, left, right, size.width);
  const down = weights(picture.height, top, bottom, size.height);
  const wide = { width: size.width, height: picture.height, channels };
  wide.data = new Uint8Array(wide.width * wide.height * channels);
  const rows = [down[0].first, Math.max(...down.map((one) => one.first + one.parts.length))];
  for (let y = rows[0]; y < rows[1]; y++) {
    across.forEach(({ first, parts }, x) => {
      for (let c = 0; c < channels; c++) {
        const start = (y * picture.width + first) * channels + c;
        wide.data[(y * wide.width + x) * channels + c] = mixed(picture.data, start, channels, parts);
      }
    });
  }
  const made = { ...size, channels, data: new Uint8Array(size.width * size.height * channels) };
  const row = size.width * channels;
  down.forEach(({ first, parts }, y) => {
    for (let at = 0; at < row; at++) {
      made.data[y * row + at] = mixed(wide.data, first * row + at, row, parts);
    }
  });
  return made;
}

/** The largest part from the middle that has the shape of a size: what `ImageOps.fit` takes. */
export function middle(picture, size) {
  const ratio = size.width / size.height;
  const wide = picture.width / picture.height >= ratio;
  const width = wide ? ratio * picture.height : picture.width;
  const height = wide ? picture.height : picture.width / ratio;
  const left = (picture.width - width) * 0.5;
  const top = (picture.height - height) * 0.5;
  return [left, top, left + width, top + height];
}

/** Which pixels each new pixel is a mean of, and their weights as whole numbers. */
function weights(length, from, to, count) {
  const scale = fround(to - from) / count;
  const reach = Math.max(scale, 1);
  return Array.from({ length: count }, (_, at) => {
    const centre = from + (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(length, Math.trunc(centre + reach + 0.5));
    const parts = [];
    for (let place = first; place < end; place++) {
      parts.push(Math.max(0, 1 - Math.abs((place - centre + 0.5) * (1 / reach))));
    }
    const sum = parts.reduce((total, part) => total + part, 0);
    return { first, parts: parts.map((part) => Math.trunc(0.5 + (part / sum) * ONE)) };
  });
}

function mixed(data, start, stride, parts) {
  let sum = ONE / 2;
  for (let at = 0; at < parts.length; at++) sum += data[start + at * stride] * parts[at];
  return Math.min(255, Math.floor(sum / ONE));
}
