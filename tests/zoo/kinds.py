"""The kinds of files that phones, cameras, browsers, editors and converters write, and how ffmpeg makes one of each.

Each is a grey picture with a red patch in its top left corner, ten frames of 96 x 64 at 25 a second unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

RED, GREY = (200, 40, 40), (90, 90, 90)
"""The patch and the rest, in RGB."""


@dataclass(frozen=True)
class Kind:
    """video, sound: encoder flags; sound None for none, several for several tracks. size: as stored. graph: filters.

    orientation: as in EXIF, how it is to be shown. copied: tracks that a copy into `copy_suffix` holds. tolerance: of
    colours. stamped: False where frames follow the rate: raw streams, and H.264 in AVI,
    whose decoding times this ffprobe takes for those of display. more: muxer flags. made: how the file is
    finished, if ffmpeg alone does not.
    """

    name: str
    file: str
    video: str
    sound: tuple[str, ...] = ()
    size: tuple[int, int] = (96, 64)
    graph: str = ""
    rate: str = "25"
    orientation: int = 1
    aspect: str = "1:1"
    copied: int | None = None
    copy_suffix: str = ".mp4"
    tolerance: int = 14
    stamped: bool = True
    more: str = ""
    made: str = ""
    pixels: str = "yuv420p"
    said: tuple[str, ...] = field(default=())

    @property
    def tracks(self) -> int:
        """Sound tracks that a copy is to hold."""
        return len(self.sound) if self.copied is None else self.copied


H264 = "-c:v libx264 -preset ultrafast"
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"
AV1 = "-c:v libaom-av1 -cpu-used 8 -usage realtime"
AAC, OPUS, VORBIS, MP3 = "-c:a aac", "-c:a libopus", "-c:a libvorbis", "-c:a libmp3lame"
HD = (1280, 720)
TAGS = "-colorspace {0} -color_primaries {1} -color_trc {2} -color_range tv"

KINDS = [
    # MP4: phones, browsers, screen recorders
    Kind("MP4, H.264, AAC (phones)", "a.mp4", H264, (AAC,)),
    Kind("MP4, H.264 with B-frames", "a.mp4", "-c:v libx264 -bf 3 -preset medium", (AAC,)),
    Kind("MP4, index at the front", "a.mp4", H264, (AAC,), more="-movflags faststart"),
    Kind("MP4 in fragments (browsers, dashcams)", "a.mp4", H264, (AAC,), more="-movflags frag_keyframe+empty_moov+default_base_moof"),
    Kind("MP4, HEVC (phones)", "a.mp4", f"{HEVC} -tag:v hvc1", (AAC,)),
    Kind("MP4, AV1, Opus", "a.mp4", AV1, (OPUS,)),
    Kind("MP4, VP9", "a.mp4", VP9, (AAC,)),
    Kind("MP4, MPEG-4 Part 2 (old phones)", "a.mp4", "-c:v mpeg4 -q:v 2", (AAC,)),
    Kind("MP4, Motion JPEG", "a.mp4", "-c:v mjpeg -q:v 2", (MP3,), pixels="yuvj420p"),
    Kind("MP4, AC-3", "a.mp4", H264, ("-c:a ac3",)),
    Kind("MP4, FLAC", "a.mp4", H264, ("-c:a flac -strict -2",)),
    Kind("MP4, two tracks, the second by default", "a.mp4", H264, (f"{AAC}", f"{AAC}"), more="-disposition:a:0 0 -disposition:a:1 default -metadata:s:a:0 language=deu -metadata:s:a:1 language=fra"),
    Kind("MP4, sound longer than the pictures", "a.mp4", H264, (AAC,), made="long sound"),
    Kind("MP4, 30000/1001", "a.mp4", H264, (AAC,), rate="30000/1001"),
    Kind("MP4, 24000/1001", "a.mp4", H264, rate="24000/1001"),
    Kind("MP4, varying rate (phones)", "a.mp4", H264, (AAC,), graph="select='not(between(n,3,6))'", more="-vsync vfr"),
    Kind("MP4, one frame", "a.mp4", H264, graph="trim=end_frame=1"),
    Kind("MP4, pictures begin late", "a.mp4", H264, (AAC,), graph="setpts=PTS+0.2/TB", more="-vsync passthrough"),
    Kind("MP4, cut by an edit list", "a.mp4", "-c:v libx264 -bf 0 -g 50 -preset ultrafast", made="edit list"),
    Kind("MP4, begins before zero", "a.mp4", "-c:v libx264 -bf 0 -g 1 -preset ultrafast", more="-output_ts_offset -0.2 -avoid_negative_ts disabled"),
    Kind("MP4, a frame a second (time lapse)", "a.mp4", H264, rate="1"),
    Kind("MP4, 240 frames a second (slow motion)", "a.mp4", H264, (AAC,), rate="240"),
    Kind("MP4, a frame in five seconds (screens)", "a.mp4", H264, graph="setpts=5*N/TB", more="-vsync passthrough"),
    Kind("MP4, interlaced (camcorders)", "a.mp4", f"{H264} -flags +ilme+ildct", (AAC,), said=("it is interlaced, and deinterlaced in the copy",)),
    Kind("MP4, subtitles and chapters", "a.mp4", H264, (AAC,), made="titles", said=("its subtitles and chapters are left out",)),
    Kind("MP4, cover picture", "a.mp4", H264, (AAC,), made="cover", said=("its cover picture is left out",)),
    Kind("MP4, two video streams", "a.mp4", H264, (AAC,), made="second", said=("its other video stream is left out",)),
    *(Kind(f"MP4, to be turned by {turn} degrees", "a.mp4", H264, (AAC,), orientation=how, made=f"matrix {how}") for turn, how in ((90, 6), (180, 3), (270, 8))),
    *(Kind(f"MP4, mirrored ({how})", "a.mp4", H264, orientation=how, made=f"matrix {how}") for how in (2, 4, 5, 7)),
    Kind("MP4, pixels of 64:45 (DVD)", "a.mp4", H264, (AAC,), graph="setsar=64/45", aspect="64:45"),
    Kind("MP4, pixels of 4:3, turned", "a.mp4", H264, graph="setsar=4/3", aspect="3:4", orientation=6, made="matrix 6"),
    Kind("MP4, odd sides", "a.mp4", H264, size=(95, 63), pixels="yuv444p"),
    Kind("MP4, full range", "a.mp4", H264, pixels="yuvj420p", graph="scale=out_range=pc", more="-color_range pc"),
    Kind("MP4, HD without tags", "a.mp4", H264, size=HD, graph="scale=out_color_matrix=bt709"),
    Kind("MP4, HD of BT.709", "a.mp4", H264, size=HD, graph="scale=out_color_matrix=bt709", more=TAGS.format(*["bt709"] * 3)),
    Kind("MP4, HD of BT.601", "a.mp4", H264, size=HD, graph="scale=out_color_matrix=smpte170m", more=TAGS.format(*["smpte170m"] * 3)),
    Kind("MP4, SD of BT.709", "a.mp4", H264, graph="scale=out_color_matrix=bt709", more=TAGS.format(*["bt709"] * 3)),
    Kind("MP4, H.264 of 10 bits", "a.mp4", H264, pixels="yuv420p10le", said=("its 10 bits become 8",)),
    Kind("MP4, H.264 4:2:2", "a.mp4", H264, pixels="yuv422p"),
    Kind("MP4, H.264 4:4:4 (screens)", "a.mp4", H264, pixels="yuv444p"),
    Kind("MP4, H.264 in RGB", "a.mp4", "-c:v libx264rgb -preset ultrafast", pixels="rgb24"),
    Kind("MOV, HEVC, HLG of 10 bits (iPhone)", "a.mov", f"{HEVC} -tag:v hvc1", (AAC,), pixels="yuv420p10le", graph="scale=out_color_matrix=bt2020", more=TAGS.format("bt2020nc", "bt2020", "arib-std-b67"), tolerance=256, said=("HDR (HLG) is tone-mapped",)),
    Kind("MP4, HEVC, PQ of 10 bits (HDR10)", "a.mp4", f"{HEVC} -tag:v hvc1", (AAC,), pixels="yuv420p10le", graph="scale=out_color_matrix=bt2020", more=TAGS.format("bt2020nc", "bt2020", "smpte2084"), tolerance=256, said=("HDR (PQ) is tone-mapped",)),
    Kind("MP4, HEVC, BT.2020 of ordinary range", "a.mp4", HEVC, pixels="yuv420p10le", graph="scale=out_color_matrix=bt2020", more=TAGS.format("bt2020nc", "bt2020", "bt2020-10"), tolerance=45, said=("its wide colours become BT.709's",)),
    Kind("M4V", "a.m4v", H264, (AAC,)),
    # QuickTime: cameras and editors
    Kind("MOV, H.264, PCM (cameras)", "a.mov", H264, ("-c:a pcm_s16le",), copy_suffix=".mov"),
    Kind("MOV, H.264, PCM into MP4", "a.mov", H264, ("-c:a pcm_s16le",)),
    Kind("MOV, time code (cameras, drones)", "a.mov", H264, (AAC,), copy_suffix=".mov", more="-timecode 01:00:00:00", said=("its data tracks (time code, position, sensors) are left out",)),
    Kind("MOV, ProRes 422", "a.mov", "-c:v prores_ks -profile:v 2", ("-c:a pcm_s24le",), pixels="yuv422p10le", copy_suffix=".mov", said=("its 10 bits become 8",)),
    Kind("MOV, ProRes 4444 with alpha", "a.mov", "-c:v prores_ks -profile:v 4", pixels="yuva444p10le", copy_suffix=".mov", graph="format=gbrap,colorchannelmixer=aa=0.5", said=("bits become 8", "transparency")),
    Kind("MOV, Motion JPEG (cameras)", "a.mov", "-c:v mjpeg -q:v 2", ("-c:a pcm_u8",), pixels="yuvj422p", copy_suffix=".mov"),
    Kind("MOV, PNG", "a.mov", "-c:v png", pixels="rgb24", copy_suffix=".mov"),
    Kind("MOV, Animation", "a.mov", "-c:v qtrle", pixels="rgb24", copy_suffix=".mov"),
    Kind("MOV, DNxHR", "a.mov", "-c:v dnxhd -profile:v dnxhr_sq", ("-c:a pcm_s16le",), size=(256, 128), pixels="yuv422p", copy_suffix=".mov"),
    Kind("MOV, Cinepak", "a.mov", "-c:v cinepak", pixels="rgb24", copy_suffix=".mov", tolerance=20),
    Kind("MOV, JPEG 2000", "a.mov", "-c:v jpeg2000 -format j2k", copy_suffix=".mov"),
    Kind("MOV, uncompressed, 10 bits (v210)", "a.mov", "-c:v v210", pixels="yuv422p10le", copy_suffix=".mov", said=("its 10 bits become 8",)),
    Kind("MOV, A-law", "a.mov", H264, ("-c:a pcm_alaw -ar 8000",), copy_suffix=".mov"),
    Kind("3GP, H.263, AAC", "a.3gp", "-c:v h263 -q:v 2", (AAC,), size=(176, 144)),
    Kind("3G2, MPEG-4", "a.3g2", "-c:v mpeg4 -q:v 2", (AAC,)),
    # Matroska and WebM
    Kind("Matroska, H.264, AAC", "a.mkv", H264, (AAC,), copy_suffix=".mkv"),
    Kind("Matroska, HEVC, Opus", "a.mkv", HEVC, (OPUS,), copy_suffix=".mkv"),
    Kind("Matroska, H.264, FLAC", "a.mkv", H264, ("-c:a flac",), copy_suffix=".mkv"),
    Kind("Matroska, H.264, DTS", "a.mkv", H264, ("-c:a dca -strict -2",), copy_suffix=".mkv"),
    Kind("Matroska, H.264, TrueHD", "a.mkv", H264, ("-c:a truehd -strict -2 -ar 48000",), copy_suffix=".mkv"),
    Kind("Matroska, TrueHD into MP4", "a.mkv", H264, ("-c:a truehd -strict -2 -ar 48000", AAC), copied=1, said=("its sound track 1 (truehd) cannot be copied into .mp4",)),
    Kind("Matroska, WMA into MP4", "a.mkv", H264, ("-c:a wmav2",), copied=0, said=("its sound (wmav2) cannot be copied into .mp4",)),
    Kind("Matroska, G.711", "a.mkv", H264, ("-c:a pcm_mulaw -ar 8000",), copied=0, copy_suffix=".mkv", said=("its sound (pcm_mulaw) cannot be copied into .mkv",)),
    Kind("Matroska, MPEG-2, AC-3 (DVD)", "a.mkv", "-c:v mpeg2video -q:v 2", ("-c:a ac3", "-c:a mp2"), copy_suffix=".mkv"),
    Kind("Matroska, FFV1, PCM (archives)", "a.mkv", "-c:v ffv1", ("-c:a pcm_s16le",), copy_suffix=".mkv"),
    Kind("Matroska, Theora, Vorbis", "a.mkv", "-c:v libtheora -q:v 9", (VORBIS,), copy_suffix=".mkv"),
    Kind("Matroska, VC-1's predecessor WMV2", "a.mkv", "-c:v wmv2 -q:v 2", (MP3,), copy_suffix=".mkv"),
    Kind("Matroska, varying rate", "a.mkv", H264, (AAC,), graph="select='not(between(n,3,6))'", more="-vsync vfr", copy_suffix=".mkv"),
    Kind("Matroska, live (unknown sizes)", "a.mkv", H264, (AAC,), more="-live 1", copy_suffix=".mkv"),
    Kind("Matroska, subtitles, chapters and a font", "a.mkv", H264, (AAC,), copy_suffix=".mkv", made="titles", said=("its subtitles, chapters and attachments are left out",)),
    Kind("Matroska, two video streams", "a.mkv", H264, (AAC,), copy_suffix=".mkv", made="second", said=("its other video stream is left out",)),
    Kind("Matroska, 30000/1001 in milliseconds", "a.mkv", H264, rate="30000/1001", copy_suffix=".mkv"),
    Kind("Matroska, pixels of 4:3", "a.mkv", H264, graph="setsar=4/3", aspect="4:3", copy_suffix=".mkv"),
    Kind("WebM, VP8, Vorbis", "a.webm", "-c:v libvpx -deadline realtime -crf 4 -b:v 2M", (VORBIS,), copy_suffix=".webm"),
    Kind("WebM, VP9, Opus (browsers)", "a.webm", VP9, (OPUS,), copy_suffix=".webm"),
    Kind("WebM, live (MediaRecorder: no length)", "a.webm", VP9, (OPUS,), more="-live 1", copy_suffix=".webm"),
    Kind("WebM, to be turned by 90 degrees", "a.webm", VP9, (OPUS,), orientation=6, more=TAGS.format(*["smpte170m"] * 3), made="roll -90", copy_suffix=".webm"),
    Kind("WebM, VP9 with alpha", "a.webm", VP9, (OPUS,), pixels="yuva420p", copy_suffix=".webm"),
    Kind("WebM, AV1, Opus", "a.webm", AV1, (OPUS,), copy_suffix=".webm"),
    Kind("WebM, Opus into MOV", "a.webm", VP9, (OPUS,), copied=0, copy_suffix=".mov", said=("its sound (opus) cannot be copied into .mov",)),
    # AVI
    Kind("AVI, Motion JPEG, PCM (cameras)", "a.avi", "-c:v mjpeg -q:v 2", ("-c:a pcm_s16le",), pixels="yuvj420p", copy_suffix=".avi"),
    Kind("AVI, dropped frames", "a.avi", "-c:v mjpeg -q:v 2", ("-c:a pcm_s16le -ac 2",), pixels="yuvj420p", graph="select='not(between(n,3,6))'", more="-vsync vfr"),
    Kind("AVI, MPEG-4 with B-frames, MP3 (DivX, Xvid)", "a.avi", "-c:v mpeg4 -q:v 2 -bf 2 -vtag XVID", (MP3,), copy_suffix=".avi"),
    Kind("AVI, H.264, AAC", "a.avi", "-c:v libx264 -bf 0 -preset ultrafast", (AAC,), stamped=False, copied=0, copy_suffix=".avi", said=("its sound (aac) cannot be copied into .avi",)),
    Kind("AVI, H.264, AAC into MP4", "a.avi", "-c:v libx264 -bf 0 -preset ultrafast", (AAC,), stamped=False),
    Kind("AVI, MS-MPEG-4, MP3", "a.avi", "-c:v msmpeg4 -q:v 2", (MP3,)),
    Kind("AVI, HuffYUV", "a.avi", "-c:v huffyuv", pixels="yuv422p", copy_suffix=".avi"),
    Kind("AVI, Ut Video", "a.avi", "-c:v utvideo", pixels="yuv422p", copy_suffix=".avi"),
    Kind("AVI, uncompressed", "a.avi", "-c:v rawvideo", pixels="bgr24", copy_suffix=".avi"),
    Kind("AVI, DV", "a.avi", "-c:v dvvideo", ("-c:a pcm_s16le -ar 48000 -ac 2",), size=(720, 576), graph="setsar=16/15", aspect="16:15", tolerance=20, said=("it is interlaced, and deinterlaced in the copy",)),
    # Transport and program streams
    Kind("MPEG-TS, H.264, AAC (AVCHD, HLS)", "a.ts", H264, (AAC,)),
    Kind("MPEG-TS, HEVC, AC-3", "a.ts", HEVC, ("-c:a ac3",)),
    Kind("MPEG-TS, MPEG-2, MP2 (television)", "a.ts", "-c:v mpeg2video -q:v 2", ("-c:a mp2",)),
    Kind("MPEG-TS, joined: stamps begin again", "a.ts", "-c:v mpeg2video -q:v 2", ("-c:a mp2",), made="twice"),
    Kind("MPEG-TS, stamps that pass their largest value", "a.ts", H264, (AAC,), more="-output_ts_offset 95442.1"),
    Kind("MPEG-TS, MPEG-2, interlaced (television)", "a.ts", "-c:v mpeg2video -q:v 2 -flags +ilme+ildct", ("-c:a mp2",), said=("it is interlaced, and deinterlaced in the copy",)),
    Kind("M2TS (Blu-ray, camcorders)", "a.m2ts", H264, ("-c:a ac3",), more="-mpegts_m2ts_mode 1"),
    Kind("MPEG-1", "a.mpg", "-c:v mpeg1video -q:v 2", ("-c:a mp2",)),
    Kind("MPEG-2 program stream", "a.mpg", "-c:v mpeg2video -q:v 2", ("-c:a mp2",)),
    Kind("VOB (DVD)", "a.vob", "-c:v mpeg2video -q:v 2", ("-c:a ac3",), size=(720, 576), graph="setsar=64/45", aspect="64:45"),
    # Others
    Kind("FLV, Sorenson", "a.flv", "-c:v flv -q:v 2", (f"{MP3} -ar 44100",)),
    Kind("FLV, H.264, AAC", "a.flv", H264, (AAC,)),
    Kind("WMV, WMA", "a.wmv", "-c:v wmv2 -q:v 2", ("-c:a wmav2",), copied=0, said=("its sound (wmav2) cannot be copied into .mp4",)),
    Kind("Ogg, Theora, Vorbis", "a.ogv", "-c:v libtheora -q:v 9", (VORBIS,), copy_suffix=".mkv"),
    Kind("MXF (broadcast)", "a.mxf", "-c:v mpeg2video -q:v 2", ("-c:a pcm_s16le -ar 48000",), copy_suffix=".mov"),
    Kind("DV", "a.dv", "-c:v dvvideo", ("-c:a pcm_s16le -ar 48000 -ac 2",), size=(720, 576), graph="setsar=16/15", aspect="16:15", copy_suffix=".mov", tolerance=20, said=("it is interlaced, and deinterlaced in the copy",)),
    Kind("NUT", "a.nut", H264, (AAC,)),
    Kind("WTV (Windows Media Center)", "a.wtv", "-c:v mpeg2video -q:v 2", ("-c:a mp2",)),
    Kind("RealMedia", "a.rm", "-c:v rv10 -q:v 2", size=(176, 144)),
    Kind("IVF, VP9", "a.ivf", VP9),
    Kind("YUV4MPEG2", "a.y4m", "-c:v wrapped_avframe"),
    Kind("raw H.264", "a.h264", H264, stamped=False),
    Kind("raw HEVC", "a.hevc", HEVC, stamped=False),
    Kind("raw AV1", "a.obu", AV1, stamped=False),
    Kind("raw MPEG-4", "a.m4v", "-c:v mpeg4 -q:v 2 -f m4v", stamped=False),
    Kind("raw Motion JPEG", "a.mjpeg", "-c:v mjpeg -q:v 2", pixels="yuvj420p", stamped=False),
    Kind("animated GIF", "a.gif", "-c:v gif", pixels="rgb8", tolerance=50),
    Kind("animated PNG", "a.apng", "-c:v apng", pixels="rgb24"),
]  # fmt: skip
