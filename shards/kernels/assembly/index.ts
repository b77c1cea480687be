// The kernels of the shard engine, compiled to WebAssembly SIMD by `npm run build`. They work on one
// linear memory that the engine lays out; every argument that ends in `Ptr` is a byte offset in it.
export { placeRows, rankRows } from "./place";
export { addressRows, resolveRows } from "./resolve";
export { sumFloat32, weightedSumFloat32 } from "./pool-float32";
export { sumFloat16, weightedSumFloat16 } from "./pool-float16";
export { sumInt8, weightedSumInt8 } from "./pool-int8";
export { sumInt4, weightedSumInt4 } from "./pool-int4";
export { copyRows } from "./copy";
export { hasNaN, largestOf } from "./scan";
