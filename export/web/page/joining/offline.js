/** Has the page kept in the browser, so that it opens without a network. */

/**
 * Starts the worker that keeps the page.
 *
 * @returns {Promise<string>} whether the page will open without a network, in words.
 */
export async function keepPage() {
  const kept = "This page and its model are kept in the browser: they also work without a network.";
  if (!navigator.serviceWorker) return "This browser opens the page with a network only.";
  try {
    await navigator.serviceWorker.register(new URL("../../worker.js", import.meta.url));
    await navigator.serviceWorker.ready;
    return kept;
  } catch (error) {
    return `This page opens with a network only: the browser keeps no copy of it (${error.message}).`;
  }
}

/** Asks the browser not to remove what is kept when room gets short. */
export async function keepValues() {
  await navigator.storage?.persist?.().catch(() => false);
}
