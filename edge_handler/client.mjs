// Client metrics as a module, and a word when a newer build is there:
// `import { start, onNewRelease } from '/_bluegreen/client.mjs'; start({ rate: 0.1 }); onNewRelease(offerToReload);`
// The site that served it is the one that it reports to, on whichever page.
import './client.js';

export function start(options) {
  window.bgStart(import.meta.url, options && options.rate);
}

// Calls back with a build's name, once for each, when a reload would bring another build and that one is stable: a newer
// release, or the one from before if this page's was taken back. Asks when the page is looked at again, every few `minutes`
// while it is (5), and with `now` at once. Only on the site's own pages. Returns a function that ends it.
export function onNewRelease(callback, options) {
  const { minutes = 5, now = false } = options || {};
  const pause = minutes * 60000;
  let told, timer, stopped;
  let asked = Date.now();

  function own() {
    const page = performance.getEntriesByType('navigation')[0];
    const token = ((page && page.serverTiming) || []).find((entry) => entry.name === 'bluegreen');
    return token && token.description.split('~')[0];
  }

  async function ask() {
    later();
    if (document.hidden) return;
    asked = Date.now();
    try {
      const answer = await fetch(new URL('/_bluegreen/release.json', import.meta.url), { cache: 'no-store' });
      const { stable, next, build } = await answer.json();
      const mine = own() || build;
      if (stopped || !mine || next !== stable || stable === mine || stable === told) return;
      told = stable;
    } catch (error) {
      return;
    }
    callback(told);
  }

  // Not all pages at the same moment.
  function later() {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(ask, pause * (0.8 + 0.4 * Math.random()));
  }

  function looked() {
    if (!document.hidden && Date.now() - asked > Math.min(60000, pause)) ask();
  }

  document.addEventListener('visibilitychange', looked);
  if (now) ask();
  else later();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', looked);
  };
}
