import { formatCount } from "../cli/table.js";

/** Microseconds: a digit behind the point where they are few. */
export function us(value: number): string {
  return value === 0 ? "0" : oneDigit(value);
}

export function oneDigit(value: number): string {
  return value < 100 ? value.toFixed(1) : formatCount(value);
}

/** 1.5 as `1.50x`. */
export function times(value: number): string {
  return `${value.toFixed(2)}x`;
}

/** 0.015 as `1.5 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

export function ratio(value: number | null): string {
  return value === null ? "-" : value.toFixed(3);
}
