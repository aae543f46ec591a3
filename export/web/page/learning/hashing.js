/** SHA-256 of bytes and text. */

const encoder = new TextEncoder();

/** Bytes of the hash of some parts, one after another: text counts as UTF-8. */
export async function digest(...parts) {
  const whole = joined(parts.map((part) => (typeof part === "string" ? encoder.encode(part) : part)));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

/** The same in hexadecimal. */
export async function sha256(...parts) {
  return hex(await digest(...parts));
}

export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Arrays of bytes, one after another. */
export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
