// onnxruntime-common's type declarations name browser types that Node does not have. They are
// declared here as never there, so that `skipLibCheck` can stay off for every other dependency.
type HTMLImageElement = never;
type ImageBitmap = never;
type ImageData = never;
type WebGLRenderingContext = never;
type WebGLTexture = never;
