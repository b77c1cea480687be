// The kernels of the shard engine, compiled to WebAssembly SIMD by `npm run build`. They work on one
// linear memory that the engine lays out; every argument that ends in `Ptr` is a byte offset in it.
export { placeRows, rankRows } from "./place";
export { resolveRows } from "./resolve";
export { sumFloat32, weightedSumFloat32 } from "./pool-float32";
export { maxUint32 } from "./check";
