// Client metrics: counts what a page's visitors meet and reports it to the site that served this script.
// It never throws, never blocks and holds nothing about the person. On a page of another origin (an embedded script) it
// counts only what comes from its own origin.
(function (w, d, p) {
  try {
    var s = d.currentScript;
    var u = s && s.src ? new URL(s.src).origin : location.origin;
    var own = u === location.origin;
    var c = { l: 1, e: 0, a: 0, s: 0 };
    var t, timer;
    var find = function (type) {
      p.getEntriesByType(type).forEach(function (r) {
        if (type === 'navigation' ? own : r.name.indexOf(u + '/') === 0)
          (r.serverTiming || []).forEach(function (m) {
            if (m.name === 'bluegreen') t = m.description;
          });
      });
    };
    var send = function () {
      try {
        clearTimeout(timer);
        timer = 0;
        if (!t) find('navigation');
        if (!t) find('resource');
        if (!t || !(c.l + c.e + c.a + c.s)) return;
        var q = '?t=' + encodeURIComponent(t);
        for (var k in c) {
          q += '&' + k + '=' + Math.min(c[k], 99);
          c[k] = 0;
        }
        fetch(u + '/_bluegreen/beacon' + q, { keepalive: true, mode: 'no-cors', credentials: 'omit' }).catch(function () {});
      } catch (x) {}
    };
    var count = function (k) {
      c[k]++;
      timer = timer || setTimeout(send, 250);
    };
    var ours = function (text) {
      return own || String(text).indexOf(u) >= 0;
    };
    w.addEventListener('error', function (v) {
      var g = v.target;
      if (g && g.tagName) {
        if (/^(SCRIPT|LINK)$/.test(g.tagName) && ours(g.src || g.href)) count('a');
      } else if (ours(v.filename)) count('e');
    }, true);
    w.addEventListener('unhandledrejection', function (v) {
      var r = v.reason || '';
      if (ours(r.stack)) count(/import|chunk|preload/i.test(r.message) ? 'a' : 'e');
    });
    var loaded = function () {
      var n = p.getEntriesByType('navigation')[0];
      if (own && n && n.loadEventStart > 4000) c.s = 1;
      timer = timer || setTimeout(send, 250);
    };
    if (d.readyState === 'complete') loaded();
    else w.addEventListener('load', loaded);
    w.addEventListener('pagehide', send);
  } catch (x) {}
})(window, document, performance);
