// Client metrics: tells the site that served this script how its pages fare, by build. Each count is of page loads: one that
// meets ten errors counts once, so that shares can be compared. It never throws, never blocks, sends nothing personal.
// A tab that has reported a page gone wrong reports nothing more of that build: a visitor whose browser always fails, or who
// tries again and again, is one failure among many visitors, as the verdict's test takes it to be. The tab keeps the build's
// name for that, and nothing else.
// On another site's page (an embedded script) it counts only what comes from its own origin, and keeps nothing.
// Names are short because every page loads them: w window, d document, p performance, o the site's origin with a slash,
// own whether this is its page, n counts to be sent, z whether the page went wrong, t token, m memory of the tab,
// old the build that it has nothing more to say of, v the share of page loads to report (all where none is said); l page
// loads, e script errors, a failed assets, s slow loads.
(function (w, d, p) {
  function start(url, v) {
    try {
      var o = new URL('/', url).href,
        own = o == location.origin + '/',
        n = { l: 1, e: 0, a: 0, s: 0 },
        on = w.addEventListener,
        m = {},
        t, i, z, old;
      if (w['bg:' + o] || Math.random() >= v) return;
      w['bg:' + o] = 1;
      // Whoever blocks cookies blocks this, too.
      try {
        if (own) m = sessionStorage;
        old = m.bg;
      } catch (x) {}

      function each(f) {
        p.getEntries().forEach(function (r) {
          r.name.indexOf(o) || f(r);
        });
      }

      function send() {
        var q = '';
        i = 0;
        // Looked for late: the entry of a script comes after the script. The page itself is the first of all entries.
        each(function (r) {
          (r.serverTiming || []).forEach(function (v) {
            t = t || (v.name == 'bluegreen' && v.description);
          });
        });
        if (!t) return;
        for (var k in n) {
          q += '&' + k + '=' + n[k];
          n[k] = 0;
        }
        k = t.split('~')[0];
        if (k == old || !/1/.test(q)) return;
        fetch(o + '_bluegreen/beacon?t=' + t + q, { keepalive: 1, mode: 'no-cors', credentials: 'omit' }).catch(String);
        try {
          if (z) m.bg = k;
        } catch (x) {}
      }

      function soon() {
        i = i || setTimeout(send, 250);
      }

      function hit(k) {
        if (!z) n[k] = z = 1;
        soon();
      }

      // Extensions, and other sites' scripts of which browsers say nothing, are not ours.
      function bad(x, f) {
        var at = String((x && x.stack) || f || (own ? o : ''));
        if (at.includes(o)) hit(/ed module|module script|ing (CSS )?chunk|preload CSS/.test(x && x.message) ? 'a' : 'e');
      }

      on('error', function (v) {
        var g = v.target;
        if (g.tagName) {
          if ((g.tagName == 'SCRIPT' || /style|preload/.test(g.rel)) && !(g.src || g.href).indexOf(o)) hit('a');
        } else if (v.error || v.filename) bad(v.error, v.filename);
      }, true);
      on('unhandledrejection', function (v) {
        bad(v.reason);
      });
      on('pagehide', send);

      function up() {
        each(function (r) {
          if ((own ? r.loadEventStart : r.duration) > 4000) n.s = 1;
        });
        soon();
      }
      if (d.readyState == 'complete') up();
      else on('load', up);
    } catch (x) {}
  }

  // A module has no current script; client.mjs tells where it came from.
  var c = d.currentScript;
  if (c) start(c.src, c.dataset.rate);
  else w.bgStart = start;
})(window, document, performance);
