// Keeps the page for when there is no network. The build puts in what belongs to it.
const version = "VERSION";
const files = ["FILES"];

// Of the engine's binaries, the one that the page asks for: in a browser that has learnt relaxed SIMD since, the other.
const binary = new URL(self.location.href).searchParams.get("binary");
const isUsed = (file) => !file.endsWith(".wasm") || file.startsWith(`assets/${binary}-`);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(version).then((cache) => cache.addAll(files.filter(isUsed))));
});

// Only this version's files answer from now on. A page of the last version has been closed by then.
self.addEventListener("activate", (event) => {
  const isOld = (name) => name.startsWith("ropewalk-") && name !== version;
  event.waitUntil(
    caches.keys().then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name)))),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const isOurs = new URL(request.url).href.startsWith(self.registration.scope);
  if (request.method === "GET" && isOurs) event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(version);
  return (await cache.match(request, { ignoreSearch: true, ignoreVary: true })) ?? fetch(request);
}
