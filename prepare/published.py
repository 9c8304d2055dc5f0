"""Published weights: where each file comes from, its licence, and what is known of it. Facts only, nothing is fetched.

A checksum stands here only where the publisher states one: torchvision puts the first eight digits of the file's
SHA-256 into its name; the model hub sends the SHA-256 of large files along with the download.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Published:
    """One file. size: readable; sha256_start: the published beginning of its SHA-256, or ""."""

    name: str
    title: str
    url: str
    size: str
    licence: str
    sha256_start: str = ""

    @property
    def file_name(self) -> str:
        """The file's published name."""
        return self.url.rsplit("/", 1)[-1]

    def path(self, root: Path) -> Path:
        """Where it goes: ROOT/NAME/FILE."""
        return root / self.name / self.file_name


_RAFT_LICENCE = (
    "torchvision's BSD-3-Clause licence; the weights were trained on research datasets whose own terms apply as well."
)

_SEA_RAFT_LICENCE = "BSD-3-Clause; the weights were trained on research datasets whose own terms apply as well."
_UNIMATCH = "https://s3.eu-central-1.amazonaws.com/avg-projects/unimatch/pretrained"
_UNIMATCH_LICENCE = (
    "that of github.com/autonomousvision/unimatch; the weights were trained on research datasets whose own terms apply "
    "as well."
)
_SAM2 = "https://dl.fbaipublicfiles.com/segment_anything_2/092824"
_SAM2_LICENCE = "Apache-2.0."

_VGGT_LICENCE = "CC BY-NC 4.0: for non-commercial use only."
_PAGE4D_LICENCE = (
    "the weights were trained from VGGT's (CC BY-NC 4.0): for non-commercial use only; see also the publisher's page."
)

FILES = {
    published.name: published
    for published in (
        Published(
            name="pi3",
            title="Pi3, 959 M parameters (Wang et al., 2025)",
            url="https://huggingface.co/yyfz233/Pi3/resolve/main/model.safetensors",
            size="3.8 GB",
            licence="CC BY-NC 4.0: for non-commercial use only (the code of Pi3 is BSD-3-Clause).",
        ),
        Published(
            name="geomotion",
            title="GeoMotion, complete with its Pi3 backbone (2026)",
            url="https://huggingface.co/xingyang1/GeoMotion/resolve/main/best_model.pth",
            size="3.9 GB",
            licence="the code is MIT, but the file contains Pi3's weights (CC BY-NC 4.0): for non-commercial use only.",
        ),
        Published(
            name="monst3r",
            title="MonST3R, PO-TA-S-W, ViT-Large encoder, 512 dpt (Zhang et al., 2024)",
            url="https://huggingface.co/Junyi42/MonST3R_PO-TA-S-W_ViTLarge_BaseDecoder_512_dpt/resolve/main/"
            "model.safetensors",
            size="2.3 GB",
            licence="CC BY-NC-SA 4.0: for non-commercial use only, derivatives under the same terms.",
        ),
        Published(
            name="dust3r",
            title="DUSt3R, ViT-Large encoder, 512 dpt (Wang et al., 2024): what MonST3R's training starts from",
            url="https://download.europe.naverlabs.com/ComputerVision/DUSt3R/DUSt3R_ViTLarge_BaseDecoder_512_dpt.pth",
            size="2.3 GB",
            licence="CC BY-NC-SA 4.0: for non-commercial use only, derivatives under the same terms.",
        ),
        Published(
            name="raft",
            title="RAFT large, C_T_SKHT_V2 (Teed and Deng, 2020; trained by torchvision)",
            url="https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
            size="21 MB",
            licence=_RAFT_LICENCE,
            sha256_start="ff5fadd5",
        ),
        Published(
            name="raft_sintel",
            title="RAFT large, C_T_SKHT_V1: the authors' own Sintel weights, which MonST3R takes for Sintel",
            url="https://download.pytorch.org/models/raft_large_C_T_SKHT_V1-0b8c9e55.pth",
            size="21 MB",
            licence=_RAFT_LICENCE,
            sha256_start="0b8c9e55",
        ),
        Published(
            name="raft_small",
            title="RAFT small, C_T_V2 (Teed and Deng, 2020; trained by torchvision)",
            url="https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth",
            size="4 MB",
            licence=_RAFT_LICENCE,
            sha256_start="01064c6d",
        ),
        Published(
            name="sea_raft",
            title="SEA-RAFT M, Tartan-C-T-TSKH-spring540x960 (Wang, Lipson and Deng, 2024)",
            url="https://huggingface.co/MemorySlices/Tartan-C-T-TSKH-spring540x960-M/resolve/main/model.safetensors",
            size="79 MB",
            licence=_SEA_RAFT_LICENCE,
        ),
        Published(
            name="sea_raft_small",
            title="SEA-RAFT S, Tartan-C-T-TSKH-spring540x960 (Wang, Lipson and Deng, 2024)",
            url="https://huggingface.co/MemorySlices/Tartan-C-T-TSKH-spring540x960-S/resolve/main/model.safetensors",
            size="36 MB",
            licence=_SEA_RAFT_LICENCE,
        ),
        Published(
            name="gmflow",
            title="GMFlow, one scale, mixdata (Xu et al., 2022)",
            url=f"{_UNIMATCH}/gmflow-scale1-mixdata-train320x576-4c3a6e9a.pth",
            size="19 MB",
            licence=_UNIMATCH_LICENCE,
        ),
        Published(
            name="gmflow_scale2",
            title="GMFlow, two scales, mixdata (Xu et al., 2022)",
            url=f"{_UNIMATCH}/gmflow-scale2-mixdata-train320x576-9ff1c094.pth",
            size="19 MB",
            licence=_UNIMATCH_LICENCE,
        ),
        Published(
            name="unimatch",
            title="GMFlow, two scales and six refinements, mixdata (UniMatch, Xu et al., 2023)",
            url=f"{_UNIMATCH}/gmflow-scale2-regrefine6-mixdata-train320x576-4e7b215d.pth",
            size="30 MB",
            licence=_UNIMATCH_LICENCE,
        ),
        Published(
            name="sam2_tiny",
            title="SAM 2.1 tiny, 39 M parameters (Ravi et al., 2024)",
            url=f"{_SAM2}/sam2.1_hiera_tiny.pt",
            size="156 MB",
            licence=_SAM2_LICENCE,
        ),
        Published(
            name="sam2_small",
            title="SAM 2.1 small, 46 M parameters (Ravi et al., 2024)",
            url=f"{_SAM2}/sam2.1_hiera_small.pt",
            size="184 MB",
            licence=_SAM2_LICENCE,
        ),
        Published(
            name="sam2_base_plus",
            title="SAM 2.1 base plus, 81 M parameters (Ravi et al., 2024)",
            url=f"{_SAM2}/sam2.1_hiera_base_plus.pt",
            size="324 MB",
            licence=_SAM2_LICENCE,
        ),
        Published(
            name="sam2_large",
            title="SAM 2.1 large, 224 M parameters (Ravi et al., 2024)",
            url=f"{_SAM2}/sam2.1_hiera_large.pt",
            size="898 MB",
            licence=_SAM2_LICENCE,
        ),
        Published(
            name="pi3x",
            title="Pi3X, 1.36 billion parameters (the authors of Pi3, 2025)",
            url="https://huggingface.co/yyfz233/Pi3X/resolve/main/model.safetensors",
            size="5.4 GB",
            licence="CC BY-NC 4.0: for non-commercial use only (the code of Pi3 is BSD-3-Clause).",
        ),
        Published(
            name="vggt",
            title="VGGT-1B, 1.26 billion parameters, track head included (Wang et al., 2025)",
            url="https://huggingface.co/facebook/VGGT-1B/resolve/main/model.safetensors",
            size="5.0 GB",
            licence=_VGGT_LICENCE,
        ),
        Published(
            name="page4d",
            title="PAGE-4D without the mask at inference, the recommended variant, 1.19 billion parameters (2025)",
            url="https://huggingface.co/datasets/zhouk777/PAGE4D/resolve/main/checkpoint_nomask.pt",
            size="at least 4.8 GB",
            licence=_PAGE4D_LICENCE,
        ),
        Published(
            name="page4d_mask",
            title="PAGE-4D with the mask at inference (backbone.mask=on), 1.19 billion parameters (2025)",
            url="https://huggingface.co/datasets/zhouk777/PAGE4D/resolve/main/checkpoint_mask.pt",
            size="at least 4.8 GB",
            licence=_PAGE4D_LICENCE,
        ),
    )
}
