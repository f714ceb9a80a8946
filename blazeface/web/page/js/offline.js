// Ready without a network: the service worker keeps what this page has loaded.

/** Resolves to true when everything is kept, to false where the browser has no service workers or refuses. */
export async function keepForOffline() {
  if (!("serviceWorker" in navigator)) return false;
  try {
    await navigator.serviceWorker.register("worker.js");
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    const ours = loaded.filter((url) => url.startsWith(location.origin) && !url.endsWith("/worker.js"));
    const page = location.href.split(/[?#]/)[0];
    return await ask(active, { keep: [...new Set([page, ...ours])] });
  } catch {
    return false; // such as for a certificate that is not trusted; the page works on without
  }
}

function ask(worker, message) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data.kept);
    worker.postMessage(message, [port2]);
  });
}
