// Viewer request, CloudFront Functions runtime 2.0: which build answers?
// The twin of domain/requests.py and domain/routing.py; the same vectors run through both.
// House rules for this file: comments on lines of their own, `await` only into a variable, `catch` with its binding.
import cf from 'cloudfront';
import crypto from 'crypto';

const CONFIG = {/*BLUEGREEN_CONFIG*/};
const BUILD_ID = /^[A-Za-z0-9][\w.-]{0,63}$/;
const TOKEN = /^([A-Za-z0-9][\w.-]{0,63})~([0-9a-z]{1,8})~([\w-]{22})$/;
const HTML_DESTINATION = /^(?:document|i?frame|embed|object|fencedframe)$/;
const VISITOR = /^2\.([0-9a-z]{8,32})$/;
const EXTENSION = /\.[^/]*$/;
const NEWEST_FORMAT = 1;
// S3's limit. It also keeps regular expressions from being fed to death.
const LONGEST_KEY = 1024;

async function handler(event) {
  const request = event.request;
  const plan = planRequest(request.uri, text(request.headers, 'accept'), text(request.headers, 'sec-fetch-dest'));
  delete request.headers['x-bluegreen-role'];
  request.headers['x-build-id'] = { value: 'shared' };
  if (plan.kind === 'malformed') return answer(400);
  if (plan.kind === 'missing') return answer(404);
  if (plan.kind === 'internal') {
    const internal = await answerInternal(event, plan.uri);
    return internal;
  }
  request.uri = plan.uri + variant(plan.uri, request.headers);
  if (plan.kind === 'shared' || plan.kind === 'built') return request;

  const chosen = await choose(event, plan.kind === 'entry');
  if (!chosen.build) return answer(503);
  request.headers['x-build-id'] = { value: chosen.build };
  // In the behaviours without an origin request the path gets its build here.
  if (CONFIG.direct) request.uri = '/builds/' + chosen.build + request.uri;
  cf.logCustomData('build=' + chosen.build + ' role=' + chosen.role);
  return request;
}

// -- what is asked for ------------------------------------------------------------------------------------------------

function planRequest(uri, accept, destination) {
  let path;
  try {
    path = decodeURIComponent(uri).slice(1);
  } catch (error) {
    return { kind: 'malformed' };
  }
  if (uri[0] !== '/' || /[\x00-\x1f\x7f\\]|(?:^|\/)\.\.?(?:\/|$)/.test(path)) return { kind: 'malformed' };
  const top = path.split('/', 1)[0];
  if (top === '_bluegreen') return planned('internal', path);
  const reserved = top === 'shared' || top === 'manifests' || top === 'builds';
  const kind = reserved ? '' : classify(path);
  if (kind === 'shared') return planned(kind, 'shared/' + path);
  if (kind === 'entry') return planned(kind, path);
  // Before the buckets' own folders: a page may well be called /shared or /builds/7. It is the site's, of no old build.
  if (wantsDocument(path, accept, destination)) return planned('entry', documentPath(path));
  if (top === 'builds') return planBuilt(path);
  return planned(reserved ? 'missing' : 'file', path);
}

function planBuilt(path) {
  const match = /^builds\/([^/]+)\/([\s\S]+)$/.exec(path);
  if (!match || !BUILD_ID.test(match[1]) || !EXTENSION.test(match[2])) return planned('missing', path);
  const kind = classify(match[2]);
  if (kind === 'shared') return planned(kind, 'shared/' + match[2]);
  return planned(kind === 'entry' ? 'missing' : 'built', path);
}

// 'shared', 'entry', or nothing for a file of one build.
function classify(path) {
  if (path.length > LONGEST_KEY) return '';
  if (CONFIG.entry.test(path)) return 'entry';
  if (CONFIG.unhashed.test(path) || CONFIG.companion.test(path)) return '';
  if (CONFIG.hashed.test(path)) return 'shared';
  const start = CONFIG.folder.exec(path);
  if (!start) return '';
  const folders = path.slice(start[0].length).split('/');
  const name = folders.pop();
  const hashed = CONFIG.token.test(name) || folders.some((part) => CONFIG.tokenFolder.test(part));
  return hashed ? 'shared' : '';
}

function wantsDocument(path, accept, destination) {
  if (EXTENSION.test(path) || path.startsWith('.well-known/')) return false;
  if (HTML_DESTINATION.test(destination)) return true;
  if (destination && destination !== 'empty') return false;
  if (!accept || accept.indexOf('text/html') >= 0) return true;
  const byNameOnly = CONFIG.mode === 'spa' && destination === 'empty' && path !== '';
  return accept.indexOf('*/*') >= 0 && !byNameOnly;
}

function documentPath(path) {
  const folder = path.replace(/\/+$/, '');
  if (CONFIG.mode === 'spa' || !folder) return 'index.html';
  return CONFIG.mode === 'directory' ? folder + '/index.html' : folder + '.html';
}

function planned(kind, path) {
  return { kind, uri: '/' + path.split('/').map(encodeURIComponent).join('/').replace(/%40/g, '@') };
}

// What comes after the path of a precompressed variant. A part is of the file itself, as browsers ask for it too.
function variant(uri, headers) {
  if (headers.range || !CONFIG.compressible.test(uri)) return '';
  const accepted = text(headers, 'accept-encoding');
  return CONFIG.brotli.test(accepted) ? '.br' : CONFIG.gzip.test(accepted) ? '.gz' : '';
}

// -- which build ------------------------------------------------------------------------------------------------------

async function choose(event, isEntry) {
  const request = event.request;
  const preview = text(request.querystring, '__bg_preview') || text(request.cookies, '__Host-bg-preview');
  if (preview) {
    const build = await verify(preview, 'preview');
    if (build) return { build, role: 'preview' };
  }
  const state = await readRouting();
  const chosen = await chooseByState(event, isEntry, state);
  return chosen;
}

async function chooseByState(event, isEntry, state) {
  const request = event.request;
  const last = buildCookie(request);
  // Only what the visitor already has can be right; anything else may mix two builds on a page.
  if (!state) return { build: last, role: 'unknown' };
  if (!isEntry && last) {
    const role = roleOf(state, last);
    if (role !== 'other') return { build: last, role };
    const retained = await isRetained(last);
    if (retained) return { build: last, role };
  }
  if (!state.candidate) return { build: state.stable, role: 'stable' };
  const slot = slotOf(state.candidate, seedOf(event));
  const build = slot < Math.min(state.weight, 10000 - state.holdout) ? state.candidate : state.stable;
  return { build, role: roleOf(state, build) };
}

function slotOf(candidate, seed) {
  return parseInt(digest(candidate + ':' + seed).slice(0, 8), 16) % 10000;
}

// Who asks: what viewer response put into the cookie; until it has, what it would put there while a release is under way.
function seedOf(event) {
  const request = event.request;
  const match = VISITOR.exec(text(request.cookies, '__Host-bg-visitor'));
  return match ? match[1] : digest(event.viewer.ip + '|' + text(request.headers, 'user-agent')).slice(0, 16);
}

function digest(value) {
  return crypto.createHash('sha256').update(value).digest('hex');
}

function roleOf(state, build) {
  return build === state.stable ? 'stable' : build === state.candidate ? 'candidate' : 'other';
}

async function readRouting() {
  const value = await read('routing');
  try {
    const state = JSON.parse(value);
    const known = state.format >= 0 && state.format <= NEWEST_FORMAT && BUILD_ID.test(state.stable);
    return known ? state : null;
  } catch (error) {
    return null;
  }
}

async function isRetained(build) {
  try {
    const found = await cf.kvs().exists('build/' + build);
    return found;
  } catch (error) {
    // As with the routing state: in doubt the page keeps the build it came from.
    return true;
  }
}

async function read(key) {
  try {
    const value = await cf.kvs().get(key);
    return value;
  } catch (error) {
    return null;
  }
}

// -- what the viewer sent ---------------------------------------------------------------------------------------------

function text(items, name) {
  return items[name] ? items[name].value : '';
}

function buildCookie(request) {
  const value = text(request.cookies, '__Host-bg-build');
  return BUILD_ID.test(value) ? value : null;
}

async function verify(token, purpose) {
  const match = TOKEN.exec(token);
  if (!match || parseInt(match[2], 36) < Math.floor(Date.now() / 1000)) return null;
  const secret = await read('secret');
  if (!secret) return null;
  const mac = crypto.createHmac('sha256', secret).update(purpose + ':' + match[1] + '~' + match[2]);
  return mac.digest('base64url').slice(0, 22) === match[3] ? match[1] : null;
}

// -- /_bluegreen/ -----------------------------------------------------------------------------------------------------

async function answerInternal(event, uri) {
  const request = event.request;
  const name = uri.slice(12);
  if (/^client\.m?js$/.test(name)) return request;
  if (name !== 'beacon' && name !== 'release.json') return answer(404);
  const state = await readRouting();
  return name === 'beacon' ? takeBeacon(request, state) : tellRelease(event, state);
}

async function tellRelease(event, state) {
  if (!state) return answer(503);
  const last = buildCookie(event.request);
  const chosen = await chooseByState(event, true, state);
  const response = answer(200);
  response.headers['content-type'] = { value: 'application/json' };
  const next = chosen.build;
  response.body = JSON.stringify({ stable: state.stable, build: last, next, newer: !!last && last !== next });
  return response;
}

async function takeBeacon(request, state) {
  // A report that cannot be told from a forged one is dropped without a word.
  const counts = {};
  const wellFormed = ['l', 'e', 'a', 's'].every((name) => {
    const item = request.querystring[name];
    if (item) counts[name] = item;
    return !item || (!item.multiValue && /^[01]$/.test(item.value));
  });
  if (!wellFormed) return answer(204);
  const build = await verify(text(request.querystring, 't'), 'beacon');
  if (!state || !build) return answer(204);
  const role = roleOf(state, build);
  if (role === 'other') {
    const retained = await isRetained(build);
    if (!retained) return answer(204);
  }
  request.headers['x-build-id'] = { value: build };
  request.headers['x-bluegreen-role'] = { value: role };
  request.cookies = {};
  request.querystring = counts;
  return request;
}

function answer(status) {
  return { statusCode: status, headers: { 'cache-control': { value: 'no-store' } } };
}
