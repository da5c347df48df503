// What promises.mjs and loads.mjs print for tests/bench/run to judge: NAME<tab>VALUE<tab>MOST.

export function row(name, value, most) {
  console.log(`${name}\t${value.toFixed(2)}\t${most}`);
}

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

export const median = (values) => quantile(values, 0.5);
