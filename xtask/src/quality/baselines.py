"""Cut-outs by rembg and PyMatting as they are installed, for `cargo xtask quality`.

Arguments: the folder of the work, then the file of the ISNet weights. Each folder in it holds `photo.png` and
`network.png` (the network's alpha, resized); one RGBA file for each method is written beside them, and `seconds.json`
with the time each took. Methods that are there already are not done again.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from pymatting import estimate_alpha_cf, estimate_alpha_knn, estimate_foreground_ml
from rembg import remove
from rembg.sessions.dis_custom import DisCustomSession
import onnxruntime as ort


def trimap(alpha):
    """Sure where the network is, and at least a few pixels away from where it is not."""
    from scipy.ndimage import binary_dilation, binary_erosion

    reach = max(3, round(max(alpha.shape) * 0.006))
    sure = binary_erosion(alpha > 0.95, iterations=reach, border_value=1)
    none = binary_erosion(alpha < 0.05, iterations=reach, border_value=1)
    out = np.full(alpha.shape, 0.5)
    out[sure] = 1.0
    out[none] = 0.0
    return out


def cut_out(photo, alpha):
    foreground = estimate_foreground_ml(photo, alpha)
    rgba = np.dstack([foreground, alpha])
    return Image.fromarray((np.clip(rgba, 0, 1) * 255 + 0.5).astype(np.uint8), "RGBA")


def pymatting(estimate):
    def work(photo, network):
        known = trimap(network)
        if not (known == 1.0).any() or not (known == 0.0).any():
            return cut_out(photo, network)
        return cut_out(photo, estimate(photo, known))

    return work


def main():
    work, weights = Path(sys.argv[1]), Path(sys.argv[2])
    options = ort.SessionOptions()
    session = DisCustomSession("dis_custom", options, model_path=str(weights))

    def rembg(**settings):
        def work(photo, _network):
            image = Image.fromarray((photo * 255 + 0.5).astype(np.uint8), "RGB")
            return remove(image, session=session, **settings)

        return work

    methods = {
        "network-ml": lambda photo, network: cut_out(photo, network),
        "rembg": rembg(),
        "rembg-matting": rembg(alpha_matting=True),
        "pymatting-cf": pymatting(estimate_alpha_cf),
        "pymatting-knn": pymatting(estimate_alpha_knn),
    }
    warm = True
    for folder in sorted(path for path in work.iterdir() if (path / "network.png").exists()):
        photo = np.asarray(Image.open(folder / "photo.png").convert("RGB")) / 255.0
        network = np.asarray(Image.open(folder / "network.png").convert("L")) / 255.0
        record = folder / "seconds.json"
        seconds = json.loads(record.read_text()) if record.exists() else {}
        for name, method in methods.items():
            if name in seconds:
                continue
            try:
                if warm:
                    # The first call compiles; nobody pays that for each photo.
                    method(photo[:256, :256], network[:256, :256])
            except Exception as error:
                print(f"{name} while warming: {error}", file=sys.stderr)
            began = time.process_time()
            try:
                image = method(photo, network)
            except Exception as error:
                print(f"{folder.name}: {name}: {error}", file=sys.stderr)
                seconds[name] = None
                continue
            seconds[name] = time.process_time() - began
            image.save(folder / f"{name}.png", compress_level=1)
        warm = False
        record.write_text(json.dumps(seconds))
        print(folder.name, {name: value and round(value, 1) for name, value in seconds.items()}, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("U2NET_HOME", str(Path(sys.argv[2]).parent))
    main()
