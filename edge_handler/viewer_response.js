// Viewer response, CloudFront Functions runtime 2.0: makes the choice stick. It does not choose again: what it knows of the
// build is the response's own metadata, and it relies on nothing that viewer request told it. CloudFront does not run it on a
// status of 400 and above.
import cf from 'cloudfront';
import crypto from 'crypto';

const CONFIG = {/*BLUEGREEN_CONFIG*/};
const BUILD_ID = /^[A-Za-z0-9][\w.-]{0,63}$/;
const TOKEN = /^([A-Za-z0-9][\w.-]{0,63}~([0-9a-z]{1,8}))~([\w-]{22})$/;
const VISITOR = /^2\.([0-9a-z]{8,32})$/;
const NEWEST_FORMAT = 1;
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax';
const YEAR = 31536000;
const WEEK = 604800;
const DAY = 86400;

async function handler(event) {
  const request = event.request;
  const response = event.response;
  const build = value(response.headers['x-amz-meta-build-id']);
  if (!BUILD_ID.test(build)) return response;
  const type = value(response.headers['content-type']);
  // A 304 may come without its type.
  // Whether the path is the viewer's or that of a variant is unconfirmed on AWS.
  const uri = request.uri.replace(/\.(?:br|gz)$/, '');
  const isDocument = type ? type.startsWith('text/html') : /(?:\.html?|\/[^./]*)$/.test(uri);
  if (!isDocument && !CONFIG.entry.test(path(uri))) return response;
  response.cookies = response.cookies || {};
  const secret = await read('secret');
  const asked = value(request.querystring['__bg_preview']);
  const preview = asked || value(request.cookies['__Host-bg-preview']);
  if (preview.startsWith(build + '~') && opens(preview, secret)) {
    // For the session, so that the page's files and links stay in the preview. It reports nothing: no token.
    if (asked) response.cookies['__Host-bg-preview'] = { value: asked, attributes: ATTRIBUTES };
    return response;
  }
  if (isDocument) response.cookies['__Host-bg-build'] = keep(build, WEEK);
  if (!VISITOR.test(value(request.cookies['__Host-bg-visitor']))) {
    const seed = await seedToKeep(event);
    if (seed) response.cookies['__Host-bg-visitor'] = keep('2.' + seed, YEAR);
  }
  if (!secret) return response;
  const claim = build + '~' + (Math.floor(Date.now() / 1000) + DAY).toString(36);
  const others = value(response.headers['server-timing']);
  const timing = 'bluegreen;desc="' + claim + '~' + sign(secret, 'beacon', claim) + '"';
  response.headers['server-timing'] = { value: (others && others + ', ') + timing };
  if (!isDocument) response.headers['timing-allow-origin'] = { value: '*' };
  return response;
}

// While a release is under way, what viewer request decides by until the viewer has a cookie, so that nobody changes sides.
// Otherwise anything, so that people behind one address part ways before the next release.
async function seedToKeep(event) {
  const routing = await read('routing');
  let state;
  try {
    state = JSON.parse(routing);
    if (!(state.format >= 0 && state.format <= NEWEST_FORMAT && BUILD_ID.test(state.stable))) return '';
  } catch (error) {
    return '';
  }
  const same = event.viewer.ip + '|' + value(event.request.headers['user-agent']);
  const source = state.candidate ? same : event.context.requestId + Math.random() + same;
  return crypto.createHash('sha256').update(source).digest('hex').slice(0, 16);
}

// Verified here as at viewer request, so that nobody loses the build cookie to a link with a forged token.
function opens(token, secret) {
  const match = TOKEN.exec(token);
  if (!match || !secret || parseInt(match[2], 36) < Math.floor(Date.now() / 1000)) return false;
  return sign(secret, 'preview', match[1]) === match[3];
}

function sign(secret, purpose, claim) {
  return crypto.createHmac('sha256', secret).update(purpose + ':' + claim).digest('base64url').slice(0, 22);
}

async function read(key) {
  try {
    const found = await cf.kvs().get(key);
    return found;
  } catch (error) {
    return '';
  }
}

function path(uri) {
  try {
    return decodeURIComponent(uri).slice(1);
  } catch (error) {
    return '';
  }
}

function keep(text, seconds) {
  return { value: text, attributes: ATTRIBUTES + '; Max-Age=' + seconds };
}

function value(item) {
  return item ? item.value : '';
}
