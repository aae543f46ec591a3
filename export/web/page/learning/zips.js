/** The members of a zip that stores them as they are, as bundles do. */

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;

/**
 * Reads a zip without compression.
 *
 * @param {Uint8Array} content its bytes.
 * @returns {Map<string, Uint8Array>} contents by name.
 */
export function readZip(content) {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const end = content.length - END_BYTES; // bundles have no comment behind
  if (end < 0 || view.getUint32(end, true) !== END) throw new Error("it is no zip, or was cut");
  const members = new Map();
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error("its directory is damaged");
    if (view.getUint16(at + 10, true) !== 0) throw new Error("a member is compressed");
    const [size, local] = [view.getUint32(at + 24, true), view.getUint32(at + 42, true)];
    const lengths = [28, 30, 32].map((place) => view.getUint16(at + place, true));
    const name = new TextDecoder().decode(content.subarray(at + 46, at + 46 + lengths[0]));
    const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (begin + size > content.length) throw new Error(`its member ${name} was cut`);
    members.set(name, content.slice(begin, begin + size));
    at += 46 + lengths[0] + lengths[1] + lengths[2];
  }
  return members;
}
