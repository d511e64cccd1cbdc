"use strict";

// The page of a network that translates pictures: one is chosen, and its translation is shown.
function translation(model, ask, { byId, listen, put, save, tell }) {
  const [height, width] = model.size;

  // The middle of a picture, as large as fits, in the size of those that the network was trained on.
  function fitted(image) {
    const canvas = byId("source"), context = canvas.getContext("2d", { willReadFrequently: true });
    [canvas.width, canvas.height] = [width, height];
    const scale = Math.max(width / image.width, height / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    context.imageSmoothingQuality = "high";
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
    return context.getImageData(0, 0, width, height).data;
  }

  async function show(file) {
    if (!file) return;
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      return tell("This file is no picture that your browser can read; choose another.");
    }
    tell("Translating …");
    try {
      put(byId("result"), await ask("translate", { rgba: fitted(image), width, height }));
      byId("save").disabled = false;
      tell("");
    } catch (error) {
      tell(`This picture can't be translated: ${error.message}`);
    }
  }

  listen("file", "change", () => show(byId("file").files[0]));
  for (const event of ["dragover", "drop"])
    document.addEventListener(event, (at) => {
      at.preventDefault();
      if (event === "drop") show(at.dataTransfer.files[0]);
    });
  listen("save", "click", () => save(byId("result"), "translated", 1));
  byId("about").textContent = "A neural network translates your picture here in your browser."
    + " It is sent nowhere.";
  byId("translate").hidden = false;
}
