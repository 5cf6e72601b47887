/**
 * A list whose elements are made when they are asked for, and not kept. It looks like an array to whoever reads it; writing to
 * it is a TypeError. A step of a million micro-batches has more places, tensors and commitments than objects fit in memory.
 *
 * @param at makes the element at an index from 0 to below `length`; what it throws comes out where the element is read
 */
export function lazyList<T>(length: number, at: (index: number) => T): readonly T[] {
  const indexOf = (key: string | symbol): number | undefined => {
    if (typeof key === "symbol") return undefined;
    const index = Number(key);
    return Number.isInteger(index) && index >= 0 && index < length && String(index) === key
      ? index
      : undefined;
  };
  return new Proxy<T[]>([], {
    get(target, key, receiver) {
      if (key === "length") return length;
      const index = indexOf(key);
      return index === undefined ? Reflect.get(target, key, receiver) : at(index);
    },
    has: (target, key) => indexOf(key) !== undefined || Reflect.has(target, key),
    getOwnPropertyDescriptor(target, key) {
      if (key === "length") return { value: length, writable: true, enumerable: false, configurable: false };
      const index = indexOf(key);
      return index === undefined
        ? Reflect.getOwnPropertyDescriptor(target, key)
        : { value: at(index), writable: false, enumerable: true, configurable: true };
    },
    set: () => false,
    defineProperty: () => false,
    deleteProperty: () => false,
  });
}
