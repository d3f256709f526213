// Keeps the page for visits without a network. VERSION and FILES are in the line above, written by `genres web`.
const OURS = `genres ${registration.scope} `; // other pages of the same host have caches beside it
const CACHE = OURS + VERSION;

addEventListener("install", (event) => {
  const requests = FILES.map((name) => new Request(name, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)));
});

// A new version waits until the page asks for it: it must not replace files while the old page loads them.
addEventListener("message", () => skipWaiting());

addEventListener("activate", (event) => {
  const isOld = (name) => name.startsWith(OURS) && name !== CACHE;
  const removed = caches.keys().then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))));
  event.waitUntil(removed.then(() => clients.claim()));
});

addEventListener("fetch", (event) => {
  const address = event.request.url.split(/[?#]/)[0].replace(/\/index\.html$/, "/");
  event.respondWith(
    caches.open(CACHE).then(async (cache) => (await cache.match(address)) ?? fetch(event.request)),
  );
});
