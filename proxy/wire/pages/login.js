'use strict';

const code = location.hash.slice(1);
history.replaceState(null, '', location.pathname);

function show(wanted) {
  for (const part of document.querySelectorAll('[data-part]')) {
    part.hidden = part.dataset.part !== wanted;
  }
}

function say(what, text) {
  document.querySelector(`[data-said="${what}"]`).textContent = text;
}

async function redeem() {
  const answer = await fetch(location.pathname, {
    method: 'POST',
    headers: { 'Content-Type': 'text/plain' },
    body: code,
    cache: 'no-store',
    redirect: 'error',
  });
  const said = await answer.json();
  if (answer.ok && said.page) {
    location.replace('/');
  } else if (answer.ok) {
    show('done');
  } else {
    say('reason', `${said.reason}: ${said.detail}`);
    say('request', said.request_id);
    show('failed');
  }
}

if (code) redeem().catch(() => show('unreachable'));
else show('missing');
