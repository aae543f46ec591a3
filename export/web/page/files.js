/** Fetches files of this page's own folder, and refuses those that are not what they should be. */

import { UserError } from "./errors.js";

/** The folder that holds index.html. */
export const FOLDER = new URL("..", import.meta.url);

/**
 * The bytes of a file.
 *
 * @param {string} path under the page's folder.
 * @param {{sha256: string, bytes: number}} expected what its bytes must be.
 */
export async function verifiedFile(path, expected) {
  const content = await fetched(path, expected.sha256);
  const found = crypto.subtle ? await sha256(content) : expected.sha256;
  if (content.length !== expected.bytes || found !== expected.sha256) {
    throw new UserError(
      `The file ${path} is damaged: its ${content.length} bytes are not those that were exported ` +
        `(SHA-256 ${found.slice(0, 12)}…, expected ${expected.sha256.slice(0, 12)}…). ` +
        "Nothing was run. Export the page again, or copy its folder again."
    );
  }
  return content;
}

/** A JSON file that says itself what it is. */
export async function jsonFile(path) {
  try {
    return JSON.parse(new TextDecoder().decode(await fetched(path)));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`The file ${path} is damaged: ${error.message}. Export the page again.`);
  }
}

async function fetched(path, expected) {
  // Where a page has no crypto.subtle (http:// on another host than this), fetch compares hashes.
  const integrity = expected && !globalThis.crypto?.subtle ? integrityOf(expected) : "";
  let response;
  try {
    response = await fetch(new URL(path, FOLDER), { cache: "no-cache", integrity });
  } catch {
    const damaged = integrity ? ", or the file is damaged" : "";
    throw new UserError(
      `The file ${path} can't be fetched: the server of this page does not answer${damaged}. ` +
        "Start it again and load the page again."
    );
  }
  if (!response.ok) {
    throw new UserError(
      `The file ${path} can't be fetched (HTTP ${response.status}). Copy the whole folder of the ` +
        "page to the server, and load the page again."
    );
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** SHA-256 of bytes, in hexadecimal. */
export async function sha256(content) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function integrityOf(hex) {
  const bytes = hex.match(/../g).map((pair) => String.fromCharCode(parseInt(pair, 16)));
  return `sha256-${btoa(bytes.join(""))}`;
}
