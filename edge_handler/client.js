// Client metrics: tells the site that served this script how its pages fare, by build. Each count is of page loads: one that
// meets ten errors counts once, so that shares can be compared. It never throws, never blocks, sends nothing personal.
// On another site's page (an embedded script) it counts only what comes from its own origin.
// Names are short because every page loads them: w window, d document, p performance, o the site's origin with a slash,
// own whether this is its page, n counts to be sent, t token; l page loads, e script errors, a failed assets, s slow loads.
(function (w, d, p) {
  function start(url) {
    try {
      var o = new URL('/', new URL(url, location.href)).href;
      var own = o === location.origin + '/';
      var n = { l: 1, e: 0, a: 0, s: 0 };
      var z = {};
      var on = w.addEventListener;
      var t, i;
      if (w['bg:' + o]) return;
      w['bg:' + o] = 1;

      function list() {
        return p.getEntriesByType('resource').concat(own ? p.getEntriesByType('navigation') : []).filter(function (r) {
          return !r.name.indexOf(o);
        });
      }

      function send() {
        i = 0;
        // Looked for late: the entry of a script comes after the script. The page's own token is the last.
        list().forEach(function (r) {
          (r.serverTiming || []).forEach(function (m) {
            if (m.name === 'bluegreen') t = m.description;
          });
        });
        if (!t || !(n.l + n.e + n.a + n.s)) return;
        var q = o + '_bluegreen/beacon?t=' + t;
        for (var k in n) {
          q += '&' + k + '=' + n[k];
          n[k] = 0;
        }
        fetch(q, { keepalive: true, mode: 'no-cors', credentials: 'omit' }).catch(function () {});
      }

      function soon() {
        i = i || setTimeout(send, 250);
      }

      function hit(k) {
        if (!z[k]) n[k] = z[k] = 1;
        soon();
      }

      // Extensions, and other sites' scripts of which browsers say nothing, are not ours.
      function bad(x, file) {
        var at = String((x && x.stack) || file || (own ? o : ''));
        if (at.indexOf(o) >= 0) hit(/ed module|module script|ing (CSS )?chunk|preload CSS/.test(x && x.message) ? 'a' : 'e');
      }

      on('error', function (v) {
        var g = v.target;
        if (g.tagName) {
          if ((g.tagName === 'SCRIPT' || /style|preload/.test(g.rel)) && !(g.src || g.href).indexOf(o)) hit('a');
        } else if (v.error || v.filename) bad(v.error, v.filename);
      }, true);
      on('unhandledrejection', function (v) {
        bad(v.reason);
      });
      on('pagehide', send);

      function up() {
        list().forEach(function (r) {
          if ((own ? r.loadEventStart : r.duration) > 4000) hit('s');
        });
        soon();
      }
      if (d.readyState === 'complete') up();
      else on('load', up);
    } catch (x) {}
  }

  // A module has no current script; client.mjs tells where it came from.
  if (d.currentScript) start(d.currentScript.src);
  else w.bgStart = start;
})(window, document, performance);
