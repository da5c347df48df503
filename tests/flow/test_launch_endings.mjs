// The end of a tree is the end of all of it, however it comes and whatever the processes do.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';

import { LANDLOCK } from './lib/landlock.mjs';
import { PEOPLE, Tree, freePort, hostile, oldKernel, openOutside, staticService } from './lib/tree.mjs';
import { pause, until } from './lib/wait.mjs';

const SIGNALS = { bit: 1 << 11, since: 6 }; // of system/fence_kind.h, and of which landlock(7)
const STUBBORN = 100;
// Of one tree among a hundred processes of which a third is stopped; busy machines are slow.
const KILL_MS = 500;

// Processes whose command line has the marker: [pid].
function alive(marker) {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(marker) && !isZombie(pid);
    } catch {
      return false;
    }
  });
}

function isZombie(pid) {
  return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

function childrenOrNone(pid) {
  try {
    return childrenOf(pid);
  } catch {
    return [];
  }
}

// The launcher's child is the spawner, whose child is the keeper.
function processesOf(tree, who) {
  const launcher = tree.child.pid;
  const [spawner] = childrenOf(launcher);
  const [keeper] = childrenOf(spawner);
  return { launcher, spawner, keeper, who };
}

let runs = 0;
// Stubborn processes whose command line nobody else has.
async function stubborn(who) {
  const marker = `${STUBBORN}.${process.pid}.${(runs += 1)}`;
  const tree = new Tree(hostile('stubborn', marker), { who });
  await tree.said('all are there: done');
  assert.ok(alive(marker).length > STUBBORN, 'they are there');
  return { tree, marker };
}

// How often somebody is killed at a moment nobody chose.
const KILLS = Number(process.env.LAUNCH_KILLS ?? 25);

const gone = (marker) =>
  until(
    () => alive(marker).length === 0,
    () => `the end of ${alive(marker)}`,
  );

for (const who of PEOPLE) {
  describe(`launched by ${who.name}`, () => {
    it('kill: nothing is left once its end is told', async () => {
      const { tree, marker } = await stubborn(who);
      const ended = await tree.kill();
      assert.deepEqual(alive(marker), [], 'told too early');
      assert.equal(ended.signal, 9);
      assert.ok(ended.killedUs < KILL_MS * 1000, `it took ${ended.killedUs} µs`);
    });

    for (const victim of ['launcher', 'spawner', 'keeper']) {
      for (const stopped of [false, true]) {
        it(`the ${victim} is killed${stopped ? ', the keeper stopped before' : ''}: nothing is left`, async () => {
          const { tree, marker } = await stubborn(who);
          const processes = processesOf(tree, who);
          if (stopped) process.kill(processes.keeper, 'SIGSTOP');
          process.kill(processes[victim], 'SIGKILL');
          await gone(marker);
          await tree.done;
          if (victim !== 'launcher') assert.equal(tree.events.at(-1).event, 'ended');
        });
      }
    }

    it(`somebody is killed at any moment, ${KILLS} times: nothing is left, nothing is reachable`, async () => {
      const port = await freePort();
      for (let i = 0; i < KILLS; i += 1) {
        const marker = `${3 + (i % 5)}.${process.pid}.${(runs += 1)}`;
        const script = `${hostile('stubborn', marker).join(' ')} & ${staticService(port).join(' ')}`;
        const tree = new Tree(['sh', '-c', script, marker], { who });
        // Some die while they are made, some when all is there.
        await pause(Math.random() * 100);
        const victims = [tree.child.pid];
        for (let j = 0; j < 3; j += 1) victims.push(...childrenOrNone(victims.at(-1)).slice(0, 1));
        process.kill(victims[Math.floor(Math.random() * victims.length)], 'SIGKILL');
        await gone(marker);
        assert.equal(await openOutside(port), false, `port ${port} is open: ${tree.log}`);
        tree.child.kill('SIGKILL');
        await tree.done;
      }
    });

    it("the first process exits: its status is told, and what it left behind has gone", async () => {
      const marker = `7.${process.pid}.${(runs += 1)}`;
      const tree = new Tree(hostile('leave_behind', marker), { who });
      const ended = await tree.end();
      assert.ok(tree.stderr.includes('left behind: done'));
      assert.equal(ended.code, 7);
      assert.deepEqual(alive(marker), []);
    });

    it('the first process dies of a signal: the signal is told', async () => {
      const tree = new Tree(['sh', '-c', 'kill -USR1 $$'], { who });
      assert.equal((await tree.end()).signal, 10);
    });

    it('a signal that is passed on reaches the first process', async () => {
      const tree = new Tree(['sh', '-c', 'trap "exit 5" TERM; echo ready >&2; while :; do sleep 0.05; done'], { who });
      await tree.said('ready');
      tree.tell('signal 15');
      assert.equal((await tree.end()).code, 5);
    });

    it('a program that is not there is told of', async () => {
      const tree = new Tree(['/nowhere/to/be/found'], { who });
      const ended = await tree.end();
      assert.equal(ended.why, 'executing the service: No such file or directory');
    });

    it('a fence that is required and found missing keeps it from running', { skip: LANDLOCK < SIGNALS.since && 'needs it' }, async () => {
      const options = [`--require=${SIGNALS.bit}`];
      assert.equal((await new Tree(['true'], { who, options }).end()).code, 0);
      const tree = new Tree(['sh', '-c', 'echo ran >&2'], { who: { prefix: [...who.prefix, ...oldKernel(0)] }, options });
      assert.match((await tree.end()).why, /^closing the fences that are required: Operation not supported; this kernel does not hold/);
      assert.doesNotMatch(tree.stderr, /ran/);
    });

    it('a directory that is not there is told of', async () => {
      const tree = new Tree(['true'], { who, directory: '/nowhere' });
      assert.equal((await tree.end()).why, "entering the service's directory: No such file or directory");
    });
  });
}
