const decimals = 18;
const unit = 10n ** BigInt(decimals);

/** Base units to the last of their digits: "1,234.5". */
export function exactly(units: bigint): string {
  const fraction = String(units % unit)
    .padStart(decimals, "0")
    .replace(/0+$/, "");
  const whole = (units / unit).toLocaleString("en");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

/** What something costs at most: rounded up to so many decimals, so that no more is ever taken than stands there. */
export function atMost(units: bigint, places = 4): string {
  return exactly(roundedUp(units, decimals - places));
}

/**
 * Small costs by the digits that say something, rounded up: "0.000013", never nothing. Numbers above one keep as many
 * decimals as there are digits.
 */
export function inDigits(units: bigint, digits = 3): string {
  const length = String(units).length;
  return exactly(roundedUp(units, Math.min(length, decimals + 1) - digits));
}

/** Rounded up to a multiple of this power of ten. */
function roundedUp(units: bigint, power: number): bigint {
  if (power <= 0) return units;
  const step = 10n ** BigInt(power);
  return ((units + step - 1n) / step) * step;
}
