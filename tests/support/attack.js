// What a hostile author puts into a page: every way for a script to reach what is not its own site's. The test reads
// `window.outcomes`: what each attempt got, as text, or the refusal.
(() => {
  const api = '/api/techdocs/v1/sites';
  const neighbour = '/docs/default/component/neighbour/';
  const own = '/docs/default/component/hostile/';

  const text = async answer => (await answer).text();

  const byXHR = url =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open('GET', url);
      request.onload = () => resolve(request.responseText);
      request.onerror = () => reject(new Error('refused'));
      request.send();
    });

  const byEvents = url =>
    new Promise((resolve, reject) => {
      const events = new EventSource(url);
      events.addEventListener('finish', event => resolve(`finish ${event.data}`));
      events.onerror = () => {
        events.close();
        reject(new Error('refused'));
      };
    });

  const inFrame = url =>
    new Promise(resolve => {
      const frame = document.createElement('iframe');
      frame.onload = () => resolve(frame.contentDocument.documentElement.textContent);
      frame.src = url;
      document.body.append(frame);
    });

  // A handle that the policy of the opened page takes away reads as one of a closed window.
  const inWindow = async url => {
    const opened = window.open(url);
    for (;;) {
      await new Promise(resolve => setTimeout(resolve, 50));
      if (opened.closed) throw new Error('the handle leads nowhere');
      const shown = opened.document.documentElement?.textContent;
      if (opened.location.href !== 'about:blank' && opened.document.readyState === 'complete' && shown) return shown;
    }
  };

  // A worker is bound by the policy of its own script, which is one of this site.
  const inWorker = url =>
    new Promise((resolve, reject) => {
      const worker = new Worker(`${own}worker.js`);
      worker.onmessage = event => (event.data.error ? reject(new Error(event.data.error)) : resolve(event.data.text));
      worker.onerror = () => reject(new Error('refused'));
      worker.postMessage(url);
    });

  const workerFrom = url =>
    new Promise((resolve, reject) => {
      const worker = new Worker(url);
      worker.onmessage = event => resolve(event.data.text ?? event.data.error);
      worker.onerror = () => reject(new Error('refused'));
      worker.postMessage(`${own}index.html`);
    });

  const byForm = url =>
    new Promise((resolve, reject) => {
      const form = document.createElement('form');
      form.method = 'post';
      form.action = url;
      form.target = '_blank';
      document.body.append(form);
      document.addEventListener('securitypolicyviolation', event => {
        if (event.effectiveDirective === 'form-action') reject(new Error('refused'));
      });
      form.submit();
      setTimeout(() => resolve('sent'), 1500);
    });

  const attempts = {
    'own page by fetch': () => text(fetch(`${own}index.html`)),
    'own page in a worker': () => inWorker(`${own}index.html`),
    'API by fetch': () => text(fetch(api)),
    'API at the root by fetch': () => text(fetch('/v1/sites')),
    'API by XMLHttpRequest': () => byXHR(api),
    'API in a frame': () => inFrame(api),
    'API in a window': () => inWindow(api),
    'API in a worker': () => inWorker(api),
    'sync by events': () => byEvents('/api/techdocs/sync/default/component/neighbour'),
    'sync by a form': () => byForm('/api/techdocs/sync/default/component/neighbour'),
    'neighbour by fetch': () => text(fetch(neighbour)),
    'neighbour by fetch through own path': () => text(fetch(`${own}..%2fneighbour/`)),
    'neighbour by fetch under the mount': () => text(fetch(`/api/techdocs${neighbour}`)),
    'neighbour as static docs by fetch': () => text(fetch('/api/techdocs/static/docs/default/component/neighbour/index.html')),
    'neighbour with a longer name by fetch': () => text(fetch('/docs/default/component/hostile-not/')),
    'neighbour by XMLHttpRequest': () => byXHR(neighbour),
    'neighbour in a frame': () => inFrame(neighbour),
    'neighbour in a window': () => inWindow(neighbour),
    'neighbour in a worker': () => inWorker(neighbour),
    'neighbour runs a worker': () => workerFrom(`${neighbour}worker.js`),
  };

  const outcome = async attempt => {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('nothing came')), 10000));
    try {
      return `got ${await Promise.race([attempt(), late])}`;
    } catch (error) {
      return `refused: ${error.message}`;
    }
  };

  window.attack = async () =>
    Object.fromEntries(
      await Promise.all(Object.entries(attempts).map(async ([name, attempt]) => [name, await outcome(attempt)])),
    );
})();
