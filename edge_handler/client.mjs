// Client metrics as a module: `import { start } from '/_bluegreen/client.mjs'; start();`
// The site that served it is the one that it reports to, on whichever page.
import './client.js';

export function start() {
  window.bgStart(import.meta.url);
}
