// The service worker: keeps what the page loaded, so that it opens without a network.
// The network is asked first, so that a new version is seen at once; what is kept answers when it does not.

const CACHE = "blazeface";
const PATIENCE = 4000; // milliseconds for the network's first word
const SILENCE = 30000; // milliseconds for which a network that failed is not asked again

let silentUntil = 0;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  event.respondWith(answer(event));
});

// The page tells what it has loaded before this worker was there; the browser's own cache still has it.
self.addEventListener("message", (event) => {
  event.waitUntil(
    keep(event.data.keep).then(
      () => event.ports[0].postMessage({ kept: true }),
      (error) => event.ports[0].postMessage({ kept: false, reason: String(error) }),
    ),
  );
});

async function keep(addresses) {
  const cache = await caches.open(CACHE);
  const have = new Set((await cache.keys()).map(({ url }) => url));
  await cache.addAll(addresses.filter((address) => !have.has(new URL(address, self.location).href)));
}

async function answer(event) {
  const { request } = event;
  const cache = await caches.open(CACHE);
  const kept = () => cache.match(request.url, { ignoreSearch: request.mode === "navigate" });
  if (Date.now() < silentUntil) {
    const old = await kept();
    if (old) return old;
  }
  try {
    const response = await ask(request.url);
    silentUntil = 0;
    if (response.ok) event.waitUntil(cache.put(request.url, response.clone()));
    return response;
  } catch (error) {
    silentUntil = Date.now() + SILENCE;
    const old = await kept();
    if (old) return old;
    throw error;
  }
}

// Patience ends with the first word: a large file may take as long as it needs.
async function ask(url) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE);
  try {
    return await fetch(url, { cache: "no-cache", signal: stop.signal });
  } finally {
    clearTimeout(timer);
  }
}
