/** Keeps the page in the browser, so that it opens and predicts without a network. */

importScripts("files.js"); // PAGE: its files, and a version that tells them from others

const NAME = `page-${self.PAGE.version}`;
const INDEX = "index.html";

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(keepAll());
});

async function keepAll() {
  const cache = await caches.open(NAME);
  await cache.addAll(self.PAGE.files.map((name) => new Request(name, { cache: "no-store" })));
}

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOthers().then(() => self.clients.claim()));
});

async function dropOthers() {
  const others = (await caches.keys()).filter((name) => name !== NAME);
  await Promise.all(others.map((name) => caches.delete(name)));
}

self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const name = nameOf(url);
  if (method === "GET" && self.PAGE.files.includes(name)) event.respondWith(kept(name, event.request));
});

function nameOf(url) {
  const folder = new URL("./", self.location).href;
  const plain = url.replace(/[?#].*$/, "");
  return plain.startsWith(folder) ? plain.slice(folder.length) || INDEX : "";
}

async function kept(name, request) {
  const cache = await caches.open(NAME);
  return (await cache.match(name)) ?? fetch(request);
}
