// Viewer response, CloudFront Functions runtime 2.0: makes the choice stick. It does not choose again: what it knows of the
// build is the response's own metadata. CloudFront does not run it on a status of 400 and above.
import cf from 'cloudfront';
import crypto from 'crypto';

const CONFIG = {/*BLUEGREEN_CONFIG*/};
const BUILD_ID = /^[A-Za-z0-9][\w.-]{0,63}$/;
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax';
const YEAR = 31536000;
const WEEK = 604800;
const DAY = 86400;

async function handler(event) {
  const response = event.response;
  const build = value(response.headers['x-amz-meta-build-id']);
  if (!BUILD_ID.test(build)) return response;
  const type = value(response.headers['content-type']);
  // A 304 may come without its type.
  // Whether the path is the viewer's or that of a variant is unconfirmed on AWS.
  const uri = event.request.uri.replace(/\.(?:br|gz)$/, '');
  const isDocument = type ? type.startsWith('text/html') : /(?:\.html?|\/[^./]*)$/.test(uri);
  if (!isDocument && !CONFIG.entry.test(path(uri))) return response;
  response.cookies = response.cookies || {};
  const mark = visitorMark(event.request);
  if (mark === 'preview') {
    const token = event.request.querystring['__bg_preview'];
    // For the session, so that the page's files and links stay in the preview. It reports nothing: no token.
    if (token) response.cookies['__Host-bg-preview'] = { value: token.value, attributes: ATTRIBUTES };
    return response;
  }
  if (isDocument) response.cookies['__Host-bg-build'] = keep(build, WEEK);
  const visitor = mark && visitorValue(event, mark);
  if (visitor) response.cookies['__Host-bg-visitor'] = keep(visitor, YEAR);
  const token = await beaconToken(build);
  if (!token) return response;
  const others = value(response.headers['server-timing']);
  response.headers['server-timing'] = { value: (others && others + ', ') + 'bluegreen;desc="' + token + '"' };
  if (!isDocument) response.headers['timing-allow-origin'] = { value: '*' };
  return response;
}

// That a header set at viewer request is seen here is unconfirmed on AWS, so only this function depends on it. Without it no
// cookie is set, and address and user agent go on deciding.
function visitorMark(request) {
  return value(request.headers['x-bluegreen-visitor']);
}

function visitorValue(event, mark) {
  const match = /^(.+)\.([0-9]{1,4})\.([0-9a-z]{8,32}|-)$/.exec(mark);
  // Were the viewer's own headers seen here instead, it could only name a slot to itself.
  if (!match || !BUILD_ID.test(match[1])) return '';
  const seed = match[3] === '-' ? newSeed(event) : match[3];
  const visitor = '1.' + seed + '.' + match[1] + '.' + match[2];
  const present = event.request.cookies['__Host-bg-visitor'];
  return present && present.value === visitor ? '' : visitor;
}

function newSeed(event) {
  const source = event.context.requestId + Math.random() + event.viewer.ip;
  return crypto.createHash('sha256').update(source).digest('hex').slice(0, 16);
}

async function beaconToken(build) {
  let secret;
  try {
    secret = await cf.kvs().get('secret');
  } catch (error) {
    return '';
  }
  const claim = build + '~' + (Math.floor(Date.now() / 1000) + DAY).toString(36);
  const mac = crypto.createHmac('sha256', secret).update('beacon:' + claim).digest('base64url');
  return claim + '~' + mac.slice(0, 22);
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
