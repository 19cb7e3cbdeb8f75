//! The studio around a product: a key and a fill softbox, a rim light, the backdrop and the floor that reflect.

use super::chance::Chance;
use super::vector::{V3, grey, lerp, mix, smooth, v3};

/// What a surface does with light.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// Share of linear light that is scattered.
    pub albedo: V3,
    /// 0 is a mirror, 1 is chalk.
    pub rough: f32,
    /// Share reflected at right angles; 0.04 is plastic or glaze.
    pub gloss: f32,
    /// Whether the reflection has the albedo's colour and nothing is scattered.
    pub metal: bool,
    /// How strongly short fibres shine at grazing angles, as on cloth.
    pub fuzz: f32,
}

impl Surface {
    /// Something with a polish.
    pub fn polished(albedo: V3, rough: f32) -> Self {
        Self { albedo, rough, gloss: 0.05, metal: false, fuzz: 0.0 }
    }

    /// A metal of that colour.
    pub fn metal(albedo: V3, rough: f32) -> Self {
        Self { albedo, rough, gloss: 1.0, metal: true, fuzz: 0.0 }
    }

    /// Cloth.
    pub fn cloth(albedo: V3) -> Self {
        Self { albedo, rough: 1.0, gloss: 0.0, metal: false, fuzz: 0.25 }
    }
}

/// A rectangle that shines.
#[derive(Clone, Copy, Debug)]
struct Softbox {
    towards: V3,
    right: V3,
    up: V3,
    half_width: f32,
    half_height: f32,
    power: f32,
}

impl Softbox {
    fn new(towards: V3, half_width: f32, half_height: f32, power: f32) -> Self {
        let towards = towards.unit();
        let right = v3(0.0, 1.0, 0.0).cross(towards).unit();
        Self { towards, right, up: towards.cross(right), half_width, half_height, power }
    }

    /// How much of it is seen in a direction, its edges as soft as the surface that mirrors it is rough.
    fn seen(&self, direction: V3, rough: f32) -> f32 {
        let ahead = direction.dot(self.towards);
        if ahead <= 0.05 {
            return 0.0;
        }
        let soft = 0.03 + rough * 0.9;
        let side = |along: V3, half: f32| {
            let at = (direction.dot(along) / ahead).abs();
            1.0 - smooth(half - soft, half + soft, at)
        };
        let energy = self.half_width * self.half_height
            / ((self.half_width + 0.5 * soft) * (self.half_height + 0.5 * soft));
        self.power * energy * side(self.right, self.half_width) * side(self.up, self.half_height)
    }
}

/// The light of a studio.
#[derive(Clone, Debug)]
pub struct Studio {
    key: Softbox,
    fill: Softbox,
    rim: Softbox,
    /// Light that comes from the backdrop, behind and around.
    pub wall: V3,
    /// Light that comes up from the floor.
    pub floor: V3,
    /// How much of the backdrop's colour edges take on beyond what they mirror.
    pub bleed: f32,
    ambient: f32,
}

impl Studio {
    /// A studio with its lamps somewhere usual; `wall` and `floor` are the backdrop's light.
    pub fn new(chance: &mut Chance, wall: V3, floor: V3) -> Self {
        let side = if chance.happens(0.5) { 1.0 } else { -1.0 };
        let key = v3(side * chance.between(0.55, 1.1), chance.between(0.5, 1.1), chance.between(0.5, 1.0));
        let fill = v3(-side * chance.between(0.7, 1.2), chance.between(0.1, 0.5), chance.between(0.3, 0.9));
        let rim = v3(-side * chance.between(0.3, 0.8), chance.between(0.6, 1.2), -chance.between(0.6, 1.0));
        let power = chance.between(0.9, 1.15);
        let share = chance.between(0.25, 0.6);
        Self {
            key: Softbox::new(key, chance.between(0.18, 0.45), chance.between(0.5, 1.1), 2.4 * power),
            fill: Softbox::new(
                fill,
                chance.between(0.15, 0.4),
                chance.between(0.6, 1.1),
                2.0 * power * share,
            ),
            rim: Softbox::new(rim, 0.5, 0.4, 1.6),
            wall,
            floor,
            bleed: chance.between(0.0, 0.35),
            ambient: chance.between(0.3, 0.5),
        }
    }

    /// Where the key light is.
    pub fn key(&self) -> V3 {
        self.key.towards
    }

    /// Light that arrives from a direction, as a surface of that roughness mirrors it.
    pub fn mirrored(&self, direction: V3, rough: f32) -> V3 {
        let up = smooth(-0.35 - rough, 0.35 + rough, direction.y());
        let ceiling = grey(0.25);
        let around = mix(self.floor, mix(self.wall, ceiling, smooth(0.2, 0.9, direction.y())), up);
        // In front of the product is the dark room with the camera.
        let dark = 1.0 - 0.75 * smooth(0.0, 0.9, direction.z()) * up;
        let lamps = self.key.seen(direction, rough)
            + self.fill.seen(direction, rough)
            + self.rim.seen(direction, rough);
        around * (0.7 * dark) + grey(lamps)
    }

    /// Light that a surface with that normal scatters, for an albedo of one; `lit` is the share of the key light that
    /// reaches it, `open` the share of the room it sees.
    pub fn scattered(&self, normal: V3, lit: f32, open: f32) -> V3 {
        let lamp = |lamp: &Softbox, wrap: f32| {
            lamp.power * ((normal.dot(lamp.towards) + wrap) / (1.0 + wrap)).max(0.0)
        };
        let up = normal.y() * 0.5 + 0.5;
        let around = mix(self.floor, mix(self.wall, grey(0.8), 0.5), up);
        grey(0.30 * lamp(&self.key, 0.25) * lit + 0.30 * lamp(&self.fill, 0.35) * open)
            + around * (self.ambient * open)
    }

    /// Light that leaves a surface towards a viewer; `normal` and `view` (towards the viewer) have length one.
    pub fn shade(&self, surface: &Surface, normal: V3, view: V3, lit: f32, open: f32) -> V3 {
        let facing = normal.dot(view).clamp(0.0, 1.0);
        let grazing = 1.0 - facing;
        let fresnel = grazing * grazing * grazing * grazing * grazing * (1.0 - 0.75 * surface.rough);
        let mirrored = self.mirrored((-view).reflected(normal), surface.rough);
        let hidden = lerp(0.35, 1.0, open);
        if surface.metal {
            let tint = mix(surface.albedo, grey(1.0), fresnel);
            return mirrored.times(tint) * hidden
                + self.scattered(normal, lit, open).times(surface.albedo) * 0.12;
        }
        let gloss = surface.gloss + (1.0 - surface.gloss) * fresnel;
        let scattered = self.scattered(normal, lit, open).times(surface.albedo);
        let soft = surface.fuzz * grazing * grazing * grazing;
        let body =
            scattered * (1.0 - gloss) + mirrored * (gloss * hidden) + surface.albedo * (soft * 0.5 * open);
        let bleed = self.bleed * grazing * grazing * grazing;
        mix(body, mix(self.wall, surface.albedo, 0.3), bleed)
    }
}
