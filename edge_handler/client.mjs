// Client metrics as a module: `import { start } from …; start()`. Bundled into a site's script it still finds its site.
export function start() {
  var script = document.createElement('script');
  script.src = new URL('/_bluegreen/client.js', import.meta.url);
  document.head.appendChild(script);
}
