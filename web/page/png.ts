/** Device pixels to one of the picture's: sharp on a slide. */
const scale = 2;

/** An SVG as PNG, in the page's own fonts. */
export async function pngOf(svg: string): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(await withFonts(svg))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("There is no canvas to draw on.");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) =>
    canvas.toBlob((blob) => (blob === null ? fail(new Error("The picture could not be made.")) : done(blob))),
  );
}

/** An image has no access to the page's fonts: those that it names are put into it. */
async function withFonts(svg: string): Promise<string> {
  const faces = await Promise.all(facesOf(svg).map(embedded));
  return faces.length === 0 ? svg : svg.replace(/(?<=^<svg[^>]*>)/, `<style>${faces.join("")}</style>`);
}

/** The page's Latin faces whose family is named. */
function facesOf(svg: string): CSSFontFaceRule[] {
  return [...document.styleSheets]
    .flatMap((sheet) => [...sheet.cssRules])
    .filter((rule) => rule instanceof CSSFontFaceRule)
    .filter(({ style }) => {
      const family = style.getPropertyValue("font-family").replace(/["']/g, "");
      return (
        svg.includes(family) && /^$|U\+0+-0*FF\b|U\+0-FF\b/i.test(style.getPropertyValue("unicode-range"))
      );
    });
}

async function embedded({ style, parentStyleSheet }: CSSFontFaceRule): Promise<string> {
  const [, url] = /url\("?([^")]+)"?\)/.exec(style.getPropertyValue("src")) ?? [];
  if (url === undefined) return "";
  const font = await (await fetch(new URL(url, parentStyleSheet?.href ?? location.href))).blob();
  const data = await new Promise<string>((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(font);
  });
  const names = ["font-family", "font-weight", "font-style"] as const;
  const rest = names.map((name) => `${name}:${style.getPropertyValue(name) || "normal"}`);
  return `@font-face{${rest.join(";")};src:url(${data})}`;
}
