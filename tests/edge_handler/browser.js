// As much of a browser as the client script touches.
var sent = [], listeners = {}, timers = [];
var location = { origin: PAGE, href: PAGE + '/some/page?private=1' };
function URL(url, base) {
  var full = /^https?:/.test(url) ? url : (/^https?:\/\/[^/]+/.exec(base) || [''])[0] + (url || '/');
  this.href = full;
  this.origin = /^https?:\/\/[^/]+/.exec(full)[0];
  this.toString = function () { return this.href; };
  if (url === '/') this.href = /^https?:\/\/[^/]+/.exec(String(base.href || base))[0] + '/';
}
var window = { addEventListener: function (type, listener) { (listeners[type] = listeners[type] || []).push(listener); } };
var document = { currentScript: SCRIPT === null ? null : { src: SCRIPT, dataset: RATE === null ? {} : { rate: RATE } }, readyState: 'loading' };
var performance = { getEntries: function () { return (ENTRIES.navigation || []).concat(ENTRIES.resource || []); } };
if (REMEMBERED !== null) var sessionStorage = REMEMBERED;
function setTimeout(task) { timers.push(task); return timers.length; }
var luck = 0.5;
Math.random = function () { return luck; };
function fetch(url, options) { sent.push([url, options]); return { catch: function () {} }; }
function fire(type, event) { (listeners[type] || []).forEach(function (listener) { listener(event); }); }
function tick() { timers.splice(0).forEach(function (task) { task(); }); }
